from math import isnan

import pytest
from pytest import approx

from recflow.algorithms.classification import auc, precision, recall


def test_auc_counts_pairs_in_the_right_order():
    # positives 0.9, 0.3; negatives 0.5, 0.1: 0.9 beats both, 0.3 beats one: 3 of 4 pairs
    assert auc([0.9, 0.5, 0.3, 0.1], [True, False, True, False]) == approx(3 / 4)


def test_a_tie_counts_one_half_in_auc():
    # 1.0 ties with 1.0 (half) and beats 0.0 (one): 1.5 of 2 pairs
    assert auc([1.0, 1.0, 0.0], [True, False, False]) == approx(1.5 / 2)


@pytest.mark.parametrize("truth", [[True, True], [False, False], []])
def test_auc_of_a_single_class_has_no_answer(truth):
    assert isnan(auc([0.1] * len(truth), truth))


def test_precision_and_recall_read_scores_above_the_threshold():
    scores, truth = [2.0, 1.0, 0.0, -1.0], [True, False, True, True]
    assert precision(scores, truth) == approx(1 / 2)  # 2.0 and 1.0 predicted, one is true
    assert recall(scores, truth) == approx(1 / 3)  # of three true ones only 2.0; 0.0 is not above 0
    assert recall(scores, truth, threshold=-2.0) == 1.0


def test_precision_without_predictions_and_recall_without_positives_have_no_answer():
    assert isnan(precision([-1.0], [True]))
    assert isnan(recall([1.0], [False]))
