import json
from itertools import count

import numpy as np
import pytest
from pytest import approx

from recflow.errors import ReplyUnreadable, RunCancelled
from recflow.evaluation.compare import Progress, compare
from recflow.evaluation.controls import Echo, RandomOrder, controls
from recflow.evaluation.questions import Answer, by_score, one_by_one, questions_of
from recflow.evaluation.splits import leave_last_out


def split_of(shots=3, n_users=30, seed=0):
    draw = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), 5)
    items = draw.integers(150, size=len(users))
    return leave_last_out(users, items, draw.permutation(len(users)), n_items=150, shots=shots, rng=draw)


class Trained:
    """A ranker from a function of the training feedback."""

    def __init__(self, make):
        self.make = make

    def fit(self, train, check):
        return self.make(train)


def oracle(split):
    wanted = split.relevant.items
    return Trained(lambda train: by_score(lambda q: q.candidates == wanted[q.row]))


def test_oracle_is_perfect_and_fair_over_all_slots():
    split = split_of()
    result = compare(split, {"oracle": oracle(split)}).result("oracle", 3)
    assert (
        result.ndcg.tolist() == result.hits.tolist() == result.reciprocal_ranks.tolist() == [1.0] * len(split)
    )
    assert [estimate.mean for estimate in result.ndcg_by_slot(3)] == [1.0] * 3
    assert sum(estimate.n for estimate in result.ndcg_by_slot(3)) == len(split)


@pytest.mark.parametrize("seed", [0, 1])
def test_controls_that_know_nothing_earn_what_chance_does(seed):
    split = split_of(n_users=1_500, seed=seed)
    table = compare(split, controls(seed))
    for name in ("random", "echo", "reverse"):
        # standard deviation of one user 0.145: four of the mean of 1,500 are 0.015
        assert table.result(name, 3).ndcg.mean() == approx(0.0454, abs=0.015)


def test_popularity_orders_by_likes_in_the_training_feedback():
    split = leave_last_out(
        [0, 0, 1, 1, 2, 2, 3, 3],
        [5, 8, 5, 7, 5, 6, 9, 5],
        range(8),
        n_items=10,
        shots=1,
        rng=np.random.default_rng(0),
    )  # users 0, 1, 2 have liked 5 before; 5 is what user 3 liked last
    result = compare(split, controls()).result("popularity", 1)
    assert result.reciprocal_ranks[3] == 1.0


def test_random_order_of_a_user_does_not_depend_on_the_others():
    split = split_of()
    everybody = {a.row: a.ranked.tolist() for a in _answers(RandomOrder(4), split, slice(None))}
    one = next(iter(_answers(RandomOrder(4), split, slice(7, 8))))
    assert one.ranked.tolist() == everybody[7]


def _answers(ranker, split, rows):
    return ranker.fit(split.train, lambda: None)(questions_of(split)[rows])


def test_failing_users_count_with_their_incoming_order():
    split = split_of()
    fails_on_even = Trained(lambda train: lambda questions: map(half_failing, questions))

    def half_failing(question):
        if question.row % 2 == 0:
            return Answer(question.row, question.candidates[::-1], "failed", "timed out")
        return Answer(question.row, question.candidates)

    table = compare(split, {"echo": Echo(), "shaky": fails_on_even})
    shaky, echo = table.result("shaky", 3), table.result("echo", 3)
    assert shaky.ndcg.tolist() == echo.ndcg.tolist()
    assert shaky.share("failed") == 0.5
    assert shaky.reasons == {"timed out": 15}
    assert shaky.ranked_share.mean() == 0.5


def test_ranker_that_breaks_off_fails_the_rest_and_says_why():
    def breaks(questions):
        for question in questions[:10]:
            yield Answer(question.row, question.candidates)
        raise ReplyUnreadable("the service sent no JSON")

    result = compare(split_of(), {"broken": Trained(lambda train: breaks)}).result("broken", 3)
    assert (result.statuses == "ok").sum() == 10
    assert result.reasons == {"the service sent no JSON": 20}


def test_ranker_that_cannot_be_fitted_fails_everywhere_and_others_go_on():
    def make(train):
        raise ReplyUnreadable("no model")

    table = compare(split_of(), {"unfit": Trained(make), "echo": Echo()})
    assert table.result("unfit", 3).share("failed") == 1.0
    assert table.result("echo", 3).share("ok") == 1.0


def test_unanswered_questions_have_failed():
    quiet = Trained(lambda train: lambda questions: [])
    assert compare(split_of(), {"quiet": quiet}).result("quiet", 3).reasons == {
        "the ranker gave no answer": 30
    }


def test_answers_may_come_in_any_order():
    split = split_of()
    backwards = Trained(
        lambda train: lambda questions: [Answer(q.row, q.candidates) for q in reversed(questions)]
    )
    table = compare(split, {"echo": Echo(), "backwards": backwards})
    assert table.result("backwards", 3).ndcg.tolist() == table.result("echo", 3).ndcg.tolist()


def test_rankers_are_fitted_on_the_training_feedback_of_their_split():
    fitted_on = []

    def make(train):
        fitted_on.append(len(train.items))
        return one_by_one(lambda question: question.candidates)

    split = split_of()
    compare([split.with_shots(1), split], {"any": Trained(make)})
    assert fitted_on == [30, 90]


def test_rows_survive_json_and_pair_with_the_baseline():
    split = split_of()
    table = compare([split.with_shots(1), split], {"echo": Echo(), "oracle": oracle(split)})
    rows = table.rows(baseline="echo")
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [(row["ranker"], row["shots"]) for row in rows] == [
        ("echo", 1),
        ("oracle", 1),
        ("echo", 3),
        ("oracle", 3),
    ]
    assert rows[0]["ndcg_difference"] == 0.0
    assert rows[1]["ndcg_difference"] == approx(1 - rows[0]["ndcg"])
    assert rows[1]["ndcg_difference_low"] > 0
    assert (rows[1]["users"], rows[1]["failed_rate"]) == (30, 0.0)
    assert "ndcg_difference" not in table.rows()[0]


def test_missing_values_become_none_in_rows():
    split = split_of(n_users=1)  # a single user has no interval
    (row,) = compare(split, {"echo": Echo()}).rows()
    assert row["ndcg_low"] is None
    assert row["ndcg"] is not None


def test_split_without_questions_gives_a_row_without_values():
    empty = leave_last_out([], [], [], n_items=5, shots=1, rng=np.random.default_rng(0))
    (row,) = compare(empty, {"echo": Echo()}).rows(baseline="echo")
    assert (row["users"], row["ndcg"], row["failed_rate"], row["ranked_share"]) == (0, None, None, None)


def test_usage_and_seconds_are_added_up():
    ticks = count()
    spends = Trained(
        lambda train: (
            lambda questions: (
                Answer(q.row, q.candidates, usage={"prompt_tokens": 7, "cost": 0.5}) for q in questions
            )
        )
    )
    table = compare(split_of(), {"spends": spends}, clock=lambda: next(ticks))
    assert table.result("spends", 3).usage == {"prompt_tokens": 210, "cost": 15.0}
    (row,) = table.rows()
    assert (row["usage_cost"], row["fit_seconds"], row["seconds_per_user"]) == (15.0, 1, approx(1 / 30))


def test_a_cost_that_one_answer_does_not_know_is_unknown_for_all():
    def spending(cost_of):
        return Trained(
            lambda train: (
                lambda questions: (Answer(q.row, q.candidates, usage=cost_of(q.row)) for q in questions)
            )
        )

    rankers = {
        "partly": spending(lambda row: {"prompt_tokens": 7} | ({"cost": 0.5} if row else {})),
        "free": spending(lambda row: {"prompt_tokens": 7, "cost": 0.5} if row else {}),  # one was not asked
    }
    partly, free = compare(split_of(), rankers).rows()
    assert (partly["usage_prompt_tokens"], partly["usage_cost"]) == (210, None)
    assert (free["usage_prompt_tokens"], free["usage_cost"]) == (203, 14.5)


def test_progress_tells_every_answer():
    seen = []
    compare(split_of(n_users=3), {"echo": Echo()}, on_progress=seen.append)
    assert seen == [Progress("echo", 3, done, 3) for done in range(4)]


def test_stop_ends_the_comparison_at_once():
    asked = []

    def check():
        if len(asked) == 5:
            raise RunCancelled("stopped")

    def rank(question):
        asked.append(question.row)
        return question.candidates

    with pytest.raises(RunCancelled):
        compare(split_of(), {"any": Trained(lambda train: one_by_one(rank))}, check=check)
    assert len(asked) == 5
