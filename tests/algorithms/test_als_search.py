from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recflow.algorithms.als import AlsParams
from recflow.algorithms.als_search import hold_out_newest, search_als
from recflow.errors import NoFeedback

BASE = AlsParams(n_factors=4, regularization=0.3, unobserved_weight=0.1)


def feedback(n_users=30, n_items=12):
    rng = np.random.default_rng(4)
    likes = csr_matrix((rng.random((n_users, n_items)) < 0.4).astype(np.float32))
    return likes, rng.integers(0, 1000, likes.nnz)


def test_the_newest_positive_of_each_user_is_held_out():
    likes = csr_matrix(np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], dtype=np.float32))
    times = np.array([5, 9, 7, 3, 8, 8])  # user 0: items 0, 1, 2; user 1: item 1; user 2: items 0, 2
    rest, (users, items) = hold_out_newest(likes, times)
    assert users.tolist() == [0, 2]
    assert items.tolist() == [1, 0]  # time 9; of two at time 8 the one stored first
    assert rest.toarray().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_the_base_is_tried_first_and_the_best_comes_first():
    told = []
    trials = search_als(
        *feedback(),
        trials=4,
        rng=np.random.default_rng(0),
        base=BASE,
        on_trial=lambda *trial: told.append(trial),
    )
    assert [trial[:2] for trial in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert replace(told[0][2], n_epochs=BASE.n_epochs) == BASE
    metrics = [trial.metric for trial in trials]
    assert metrics == sorted((trial[3] for trial in told), reverse=True)
    assert trials[0].metric >= told[0][3]


def test_the_epochs_of_a_trial_are_those_at_which_it_was_best():
    best = search_als(*feedback(), trials=1, rng=np.random.default_rng(0), base=BASE)[0]
    assert 1 <= best.params.n_epochs <= 30


def test_the_same_seed_searches_the_same_settings():
    first, second = (
        search_als(*feedback(), trials=3, rng=np.random.default_rng(8), base=BASE) for _ in range(2)
    )
    assert first == second


def test_no_trial_begins_after_the_budget_but_one_is_always_made():
    for budget_s, n_trials in ((0.0, 1), (2.5, 3)):
        ticks = iter(range(100))
        trials = search_als(
            *feedback(),
            trials=50,
            rng=np.random.default_rng(0),
            base=BASE,
            clock=lambda ticks=ticks: float(next(ticks)),  # a second passes from look to look
            budget_s=budget_s,
        )
        assert len(trials) == n_trials


def test_the_search_stops_when_asked():
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search_als(*feedback(), trials=2, rng=np.random.default_rng(0), check=stop)


def test_users_with_one_positive_each_cannot_be_searched_on():
    with pytest.raises(NoFeedback, match="two positives"):
        search_als(csr_matrix(np.eye(3)), np.arange(3), trials=1, rng=np.random.default_rng(0))


def test_no_trials_and_a_budget_without_a_clock_are_refused():
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        search_als(*feedback(), trials=0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="needs a clock"):
        search_als(*feedback(), trials=1, rng=np.random.default_rng(0), budget_s=1.0)
