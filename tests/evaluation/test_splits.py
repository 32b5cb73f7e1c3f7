from functools import partial
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from recflow.evaluation.metrics import ndcg_at_k
from recflow.evaluation.splits import leave_last_out

# User 0 likes items 0 .. 4 in this order, user 1 likes 5 then 0, user 2 likes only 7, user 3 nothing.
USERS = np.array([0, 0, 0, 0, 0, 1, 1, 2])
ITEMS = np.array([0, 1, 2, 3, 4, 5, 0, 7])
TIMES = np.array([10, 20, 30, 40, 50, 15, 45, 60])

last_out = partial(leave_last_out, USERS, ITEMS, TIMES, n_items=12, n_users=4, n_negatives=3)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_newest_positive_is_hidden_and_the_next_ones_are_the_history():
    split = last_out(shots=2, rng=rng())
    assert split.users.tolist() == [0, 1, 2]
    assert split.relevant.items.tolist() == [4, 0, 7]
    assert split.times.tolist() == [50, 45, 60]
    items, times = split.train.history(0)
    assert items.tolist() == [3, 2]  # newest first; 1 and 0 are unused
    assert times.tolist() == [40, 30]


def test_user_with_one_positive_is_asked_with_an_empty_history():
    split = last_out(shots=2, rng=rng())
    assert split.train.history(2)[0].tolist() == []
    assert split.train.history(3)[0].tolist() == []  # never asked, and has no history either


def test_training_matrix_holds_the_history_and_leaves_its_order_alone():
    train = last_out(shots=2, rng=rng()).train
    assert train.matrix().toarray()[:2].nonzero()[1].tolist() == [2, 3, 5]
    assert train.history(0)[0].tolist() == [3, 2]


def test_candidates_are_the_test_item_among_untouched_items():
    split = last_out(shots=1, rng=rng(), seen_users=[0, 0, 0], seen_items=[5, 6, 7])
    candidates = set(split.candidates[0].tolist())
    assert len(split.candidates[0]) == len(candidates) == 4
    assert 4 in candidates
    assert candidates - {4} <= {8, 9, 10, 11}  # liked 0 .. 4; 5, 6, 7 were read


def test_every_shots_value_asks_the_same_questions():
    one, five = last_out(shots=1, rng=rng(3)), last_out(shots=5, rng=rng(3))
    assert one.users.tolist() == five.users.tolist()
    assert one.candidates.items.tolist() == five.candidates.items.tolist()
    assert one.relevant.items.tolist() == five.relevant.items.tolist()
    narrowed = five.with_shots(1)
    assert narrowed.train.items.tolist() == one.train.items.tolist()
    assert narrowed.train.indptr.tolist() == one.train.indptr.tolist()
    assert narrowed.shots == 1


def test_a_narrow_split_cannot_be_widened():
    with pytest.raises(ValueError, match="1 shots cannot be widened to 2"):
        last_out(shots=1, rng=rng()).with_shots(2)


def test_a_sample_of_users_gets_the_questions_of_the_full_run():
    full, sample = last_out(shots=1, rng=rng(3)), last_out(shots=1, rng=rng(3), max_users=2)
    assert len(sample) == 2
    for row, user in enumerate(sample.users.tolist()):
        assert sample.candidates[row].tolist() == full.candidates[full.users.tolist().index(user)].tolist()
    assert sample.train.items.tolist() == full.train.items.tolist()


def test_newest_of_a_repeated_pair_counts():
    split = leave_last_out([0, 0, 0], [1, 2, 1], [10, 20, 30], n_items=9, shots=5, rng=rng())
    assert split.relevant[0].tolist() == [1]
    assert split.train.history(0)[0].tolist() == [2]


def test_equal_times_are_ordered_by_the_seed_and_not_by_the_numbering():
    drawn = {
        int(leave_last_out([0, 0], [3, 8], [10, 10], n_items=20, shots=1, rng=rng(seed)).relevant.items[0])
        for seed in range(20)
    }
    assert drawn == {3, 8}


def test_user_with_too_few_untouched_items_gets_those():
    split = leave_last_out([0, 0, 1], [0, 1, 0], [1, 2, 3], n_items=3, shots=1, rng=rng())
    assert sorted(split.candidates[0].tolist()) == [1, 2]  # only item 2 was never touched
    assert sorted(split.candidates[1].tolist()) == [0, 1, 2]


def test_user_who_touched_everything_is_not_asked():
    split = leave_last_out([0, 0, 1], [0, 1, 0], [1, 2, 3], n_items=2, shots=1, rng=rng())
    assert split.users.tolist() == [1]
    assert len(split.candidates) == len(split.relevant) == 1


def test_no_feedback_gives_an_empty_split():
    split = leave_last_out([], [], [], n_items=5, shots=1, rng=rng())
    assert len(split) == 0


def test_negatives_are_drawn_uniformly():
    draws = np.concatenate(
        [
            leave_last_out(
                [0, 0], [1, 5], [1, 2], n_items=7, shots=1, rng=rng(seed), n_negatives=2
            ).candidates[0]
            for seed in range(1_500)
        ]
    )
    counts = np.bincount(draws, minlength=7)
    assert counts[1] == 0 and counts[5] == 1_500  # in the history, and the test item
    # 2 of 5 untouched items each time: 600 expected, standard deviation 19
    assert np.all(np.abs(counts[[0, 2, 3, 4, 6]] - 600) < 90)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"shots": -1}, "shots must be at least 0, got -1"),
        ({"n_negatives": 0}, "n_negatives must be at least 1, got 0"),
        ({"n_items": 7}, "item indices must be inside 0 .. 6, got 0 .. 7"),
    ],
)
def test_nonsense_is_a_mistake_of_the_caller(wrong, message):
    with pytest.raises(ValueError, match=message):
        last_out(**{"shots": 1, "rng": rng()} | wrong)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 19), st.integers(0, 9)), max_size=60),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_any_feedback_gives_a_fair_question(feedback, shots, seed):
    users, items, times = np.array(feedback, dtype=np.int64).reshape(-1, 3).T
    split = leave_last_out(users, items, times, n_items=20, shots=shots, rng=rng(seed), n_negatives=5)
    for row, user in enumerate(split.users):
        (test_item,) = split.relevant[row].tolist()
        own = set(items[users == user].tolist())
        candidates = split.candidates[row].tolist()
        history, history_times = split.train.history(user)
        assert len(set(candidates)) == len(candidates) and candidates.count(test_item) == 1
        assert not (set(candidates) - {test_item}) & own
        assert test_item not in history
        assert len(history) == min(shots, len(own) - 1)
        assert set(history.tolist()) <= own
        assert np.all(np.diff(history_times) <= 0) and np.all(history_times <= split.times[row])


@pytest.mark.parametrize("seed", [0, 1, 20_240_601])
def test_oracle_is_perfect_and_knowing_nothing_earns_what_chance_does(seed):
    draw = rng(seed)
    n_users = 3_000
    users = np.repeat(np.arange(n_users), 2)
    items = draw.integers(500, size=2 * n_users)
    split = leave_last_out(users, items, np.arange(2 * n_users), n_items=500, shots=1, rng=draw)

    def mean_ndcg(order):
        return np.mean(
            [
                ndcg_at_k(order(split.candidates[row], row), set(split.relevant[row]))
                for row in range(len(split))
            ]
        )

    assert (
        mean_ndcg(lambda items, row: np.roll(items, -int(np.flatnonzero(items == split.relevant[row])[0])))
        == 1.0
    )
    # A test item at a uniformly drawn rank of 100.
    by_chance = sum(1 / log2(rank + 1) for rank in range(1, 11)) / 100
    # standard deviation of one user 0.145, of the mean of 3,000 users 0.0027: four of them
    assert by_chance == approx(0.0454, abs=5e-5)
    assert mean_ndcg(lambda items, row: items) == approx(by_chance, abs=0.0107)
    assert mean_ndcg(lambda items, row: items[::-1]) == approx(by_chance, abs=0.0107)
    assert mean_ndcg(lambda items, row: draw.permutation(items)) == approx(by_chance, abs=0.0107)
