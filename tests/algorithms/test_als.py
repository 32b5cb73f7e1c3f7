from dataclasses import replace

import numpy as np
import pytest
from pytest import approx
from scipy.sparse import csr_matrix

from recflow.algorithms.als import (
    AlsParams,
    fit_als,
    fold_in,
    fold_in_many,
    recency_weights,
    scores_for,
)
from recflow.algorithms.topk import top_n
from recflow.errors import NoFeedback

SMALL = AlsParams(n_factors=4, n_epochs=12, regularization=0.3, user_share=0.01, unobserved_weight=0.1)


def two_tastes(n_users=40, n_items=20, seed=0):
    """Even users like even items, odd users odd ones; each likes 6 of 10."""
    rng = np.random.default_rng(seed)
    likes = np.zeros((n_users, n_items), dtype=np.float32)
    for user in range(n_users):
        likes[user, rng.choice(np.arange(user % 2, n_items, 2), 6, replace=False)] = 1
    return csr_matrix(likes)


@pytest.fixture(scope="module")
def model():
    return fit_als(two_tastes(), SMALL, rng=np.random.default_rng(1))


def test_one_user_and_one_item_come_to_the_hand_computed_fixed_point():
    # attention is 1 + 0.5 = 1.5 on both sides, so l = 0.2 * 1.5 = 0.3 for both; with users drawn to 0,
    # x = y / (1.5 y^2 + 0.3) and y = x / (1.5 x^2 + 0.3) meet at x^2 = y^2 = (1 - 0.3) / 1.5
    params = AlsParams(
        n_factors=1,
        n_epochs=60,
        regularization=0.2,
        user_share=1.0,
        unobserved_weight=0.5,
        typical_user_share=0.0,
    )
    model = fit_als(csr_matrix([[1.0]]), params, rng=np.random.default_rng(0))
    assert float(model.user_factors[0, 0] * model.item_factors[0, 0]) == approx(0.7 / 1.5, rel=1e-4)


def test_items_of_a_user_s_taste_come_first(model):
    positives = two_tastes()
    for user in range(positives.shape[0]):
        own = positives[user].indices
        unseen = top_n(scores_for(model, model.user_factors[user]), 4, exclude=own)
        assert (unseen % 2 == user % 2).all()  # 10 of the taste, 6 seen, 4 left


def test_shapes_and_types(model):
    assert model.user_factors.shape == (40, 4)
    assert model.item_factors.shape == (20, 4)
    assert model.item_gram == approx(model.item_factors.T @ model.item_factors)
    for array in (model.user_factors, model.item_factors, model.item_gram, model.typical_user):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert model.n_epochs == 12
    assert np.isnan(model.metric)


def test_same_seed_same_model_and_threads_do_not_matter():
    first = fit_als(two_tastes(), SMALL, rng=np.random.default_rng(5), n_threads=1)
    second = fit_als(two_tastes(), SMALL, rng=np.random.default_rng(5), n_threads=3)
    other = fit_als(two_tastes(), SMALL, rng=np.random.default_rng(6))
    assert np.array_equal(first.user_factors, second.user_factors)
    assert np.array_equal(first.item_factors, second.item_factors)
    assert not np.array_equal(first.item_factors, other.item_factors)


def test_folding_in_a_training_history_with_equal_weights_gives_the_user_s_own_vector(model):
    positives = two_tastes()
    for user in (0, 7, 39):
        own = positives[user].indices
        assert fold_in(model, own, np.ones(len(own))) == approx(model.user_factors[user], abs=1e-5)
    assert fold_in_many(model, positives) == approx(model.user_factors, abs=1e-5)


def test_the_newest_positive_weighs_most():
    assert recency_weights(4, 8.0).tolist() == approx([8, 4, 8 / 3, 2])
    assert recency_weights(2, 0.0).tolist() == [1, 1]


def test_a_history_is_read_newest_first(model):
    def lead_of_even_items(history):
        scores = scores_for(model, fold_in(model, np.array(history, np.int32)))
        return scores[0::2].mean() - scores[1::2].mean()

    assert lead_of_even_items([2, 4, 1, 3]) > lead_of_even_items([1, 3, 2, 4]) + 0.1


def test_many_histories_weigh_as_each_by_itself(model):
    weights = np.zeros((3, 20), np.float32)  # 6, 6 / 2, 6 / 3 from the newest to the oldest
    weights[0, [2, 1, 3]] = 6, 3, 2
    weights[2, [0, 3]] = 6, 3
    recent = replace(model, recency=6.0)
    many = fold_in_many(recent, csr_matrix(weights))
    for user, history in enumerate(([2, 1, 3], [], [0, 3])):
        assert many[user] == approx(fold_in(recent, np.array(history, np.int32)), abs=1e-5)


def test_folding_in_a_new_user_finds_the_taste(model):
    scores = scores_for(model, fold_in(model, np.array([1, 3], dtype=np.int32)))
    assert (top_n(scores, 8, exclude=np.array([1, 3])) % 2 == 1).all()


def test_nobody_s_history_scores_by_popularity():
    likes = np.zeros((30, 3), dtype=np.float32)
    likes[:20, 0] = 1
    likes[:10, 1] = 1
    likes[:3, 2] = 1
    model = fit_als(csr_matrix(likes), SMALL, rng=np.random.default_rng(0))
    nobody = fold_in(model, np.array([], dtype=np.int32))
    assert np.array_equal(nobody, model.typical_user)
    assert np.array_equal(model.user_factors[25], nobody)  # a user of the matrix without any positive
    assert top_n(scores_for(model, nobody), 3).tolist() == [0, 1, 2]


def test_repeated_and_unknown_items_of_a_history_change_nothing(model):
    once = fold_in(model, np.array([4, 2], dtype=np.int32))
    assert np.array_equal(fold_in(model, np.array([20, 4, 4, -1, 2, 4], dtype=np.int32)), once)


def test_item_that_came_after_the_fit_has_no_vector_and_is_left_out(model):
    grown = replace(model, item_factors=np.vstack([model.item_factors, np.full((1, 4), np.nan, np.float32)]))
    vector = fold_in(grown, np.array([20, 2], dtype=np.int32))
    assert np.array_equal(vector, fold_in(model, np.array([2], dtype=np.int32)))
    assert 20 not in top_n(scores_for(grown, vector), 21)


def test_given_weights_are_those_of_a_matrix_with_these_values(model):
    heavy = fold_in(model, np.array([2, 5], np.int32), np.array([2, 1], np.float32))
    row = csr_matrix(([2.0, 1.0], [2, 5], [0, 2]), shape=(1, 20))
    assert fold_in_many(model, row)[0] == approx(heavy, abs=1e-5)
    even = fold_in(model, np.array([2, 5], np.int32), np.ones(2))
    assert scores_for(model, heavy)[2] > scores_for(model, even)[2]


def test_scores_of_some_items_are_those_of_all(model):
    everything = scores_for(model, model.user_factors[3])
    some = np.array([7, 0, 7], dtype=np.int32)
    assert scores_for(model, model.user_factors[3], some) == approx(everything[some])


def test_progress_is_told_after_every_epoch():
    told = []
    fit_als(two_tastes(), SMALL, rng=np.random.default_rng(0), on_epoch=lambda *epoch: told.append(epoch))
    assert told == [(epoch, 12, None) for epoch in range(1, 13)]


def held_out(positives):
    """One positive of every user taken out, and those pairs."""
    kept, rng = positives.tolil(), np.random.default_rng(9)
    items = np.array([rng.choice(positives[user].indices) for user in range(positives.shape[0])], np.int32)
    users = np.arange(positives.shape[0], dtype=np.int32)
    kept[users, items] = 0
    return csr_matrix(kept.tocsr()), (users, items)


def test_validation_keeps_the_best_epoch():
    rest, validation = held_out(two_tastes())
    metrics = []
    model = fit_als(
        rest,
        AlsParams(n_factors=4, n_epochs=15, patience=0),
        rng=np.random.default_rng(0),
        validation=validation,
        on_epoch=lambda epoch, n_epochs, metric: metrics.append(metric),
    )
    assert len(metrics) == 15
    assert model.metric == max(metrics)
    assert model.n_epochs == metrics.index(max(metrics)) + 1
    # a user has 15 items left; a blind order would put the one held out at each rank with chance 1/15
    assert model.metric > sum(1 / np.log2(rank + 1) for rank in range(1, 11)) / 15


def test_patience_ends_the_fit_early():
    rest, validation = held_out(two_tastes())
    epochs = []
    model = fit_als(
        rest,
        AlsParams(n_factors=4, n_epochs=200, patience=3),
        rng=np.random.default_rng(0),
        validation=validation,
        on_epoch=lambda epoch, n_epochs, metric: epochs.append(epoch),
    )
    assert epochs[-1] == model.n_epochs + 3 < 200


def test_the_fit_stops_when_asked():
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit_als(two_tastes(), SMALL, rng=np.random.default_rng(0), check=stop)


def test_no_positives_are_refused():
    with pytest.raises(NoFeedback, match="no positive feedback"):
        fit_als(csr_matrix((3, 4)), SMALL, rng=np.random.default_rng(0))


def test_users_and_items_without_feedback_get_finite_vectors_also_without_regularization():
    positives = csr_matrix(([1.0], [0], [0, 1, 1, 1]), shape=(3, 4))
    params = AlsParams(n_factors=3, n_epochs=4, regularization=0.0)
    model = fit_als(positives, params, rng=np.random.default_rng(0))
    assert np.isfinite(model.user_factors).all()
    assert np.isfinite(model.item_factors).all()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("n_factors", 0),
        ("n_epochs", 0),
        ("regularization", -1),
        ("user_share", -1),
        ("recency", -1),
        ("unobserved_weight", 0),
    ],
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"got .*{value}"):
        AlsParams(**{setting: value})
