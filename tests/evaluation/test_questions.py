import numpy as np
import pytest
from pytest import approx

from recflow.errors import NoFeedback, RunCancelled
from recflow.evaluation.questions import Answer, Question, by_score, one_by_one, questions_of, settle
from recflow.evaluation.splits import leave_last_out


def ask(*candidates, row=0):
    nothing = np.zeros(0, np.int64)
    return Question(row, 0, nothing, nothing, np.array(candidates, np.int32), 0)


def settled(ranked, *candidates, **answer):
    result, share = settle(ask(*candidates), Answer(0, np.array(ranked, np.int32), **answer))
    return result.ranked.tolist(), result.status, share


def test_questions_hold_the_history_and_not_the_answer():
    split = leave_last_out([0, 0, 0], [4, 5, 6], [1, 2, 3], n_items=9, shots=1, rng=np.random.default_rng(0))
    (question,) = questions_of(split)
    assert question.history.tolist() == [5]
    assert question.history_times.tolist() == [2]
    assert question.now == 3
    assert not hasattr(question, "relevant")


def test_full_ranking_stays_as_it_is():
    assert settled([3, 1, 2], 1, 2, 3) == ([3, 1, 2], "ok", 1.0)


def test_candidates_left_out_follow_in_the_order_they_came():
    assert settled([3], 1, 2, 3, 4) == ([3, 1, 2, 4], "partial", 1 / 4)


def test_items_that_were_not_asked_about_and_repeats_are_dropped():
    assert settled([9, 3, 3, 1], 1, 2, 3) == ([3, 1, 2], "partial", approx(2 / 3))


def test_answer_without_any_candidate_has_failed():
    assert settled([9, 8], 1, 2) == ([1, 2], "failed", 0.0)
    assert settled([], 1, 2) == ([1, 2], "failed", 0.0)


def test_failed_answer_counts_with_the_incoming_order_whatever_it_holds():
    assert settled([2, 1], 1, 2, status="failed", reason="timed out") == ([1, 2], "failed", 0.0)


def test_reason_of_a_gap_is_said():
    result, _ = settle(ask(1, 2, 3), Answer(0, np.array([2])))
    assert result.reason == "2 of 3 candidates were left out"


def test_ties_keep_their_incoming_order():
    (answer,) = by_score(lambda question: np.array([1.0, 2.0, 1.0, 2.0]))([ask(7, 5, 3, 1)])
    assert answer.ranked.tolist() == [5, 1, 7, 3]


def test_described_failure_counts_for_its_question_only():
    def rank(question):
        if question.row == 0:
            raise NoFeedback("nothing is known")
        return question.candidates

    first, second = one_by_one(rank)([ask(1, 2, row=0), ask(3, 4, row=1)])
    assert (first.status, first.reason) == ("failed", "nothing is known")
    assert second.status == "ok"


@pytest.mark.parametrize("error", [ZeroDivisionError, RunCancelled])
def test_mistake_or_stop_ends_the_ranking(error):
    def rank(question):
        raise error

    with pytest.raises(error):
        list(one_by_one(rank)([ask(1)]))
