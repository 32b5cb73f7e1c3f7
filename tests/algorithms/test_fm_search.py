import numpy as np
import pytest
from scipy import sparse

from recflow.algorithms.fm import FmParams
from recflow.algorithms.fm_search import search_fm


def samples(n=400):
    """Positive when the two features of a sample are of the same camp: only their meeting tells."""
    rng = np.random.default_rng(3)
    left, right = rng.integers(10, size=n), rng.integers(10, size=n)
    rows = np.repeat(np.arange(n), 2)
    columns = np.stack([left, 10 + right], axis=1).ravel()
    features = sparse.csr_matrix((np.ones(2 * n, np.float32), (rows, columns)), shape=(n, 20))
    return features, np.where(left % 2 == right % 2, 1, -1)


def search(trials, base, seed=0, **more):
    return search_fm(*samples(), trials=trials, rng=np.random.default_rng(seed), base=base, **more)


def test_the_settings_one_had_are_tried_first_and_the_best_is_never_worse():
    base = FmParams(n_factors=4, n_epochs=8)
    told = []
    found = search(4, base, on_trial=lambda *heard: told.append(heard))
    assert [(trial, trials) for trial, trials, _, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert told[0][2] == base
    assert found[0].loss <= told[0][3]
    assert [trial.loss for trial in found] == sorted(trial.loss for trial in found)


def test_a_search_finds_that_features_have_to_meet():
    linear = FmParams(n_factors=1, n_epochs=20, learning_rate=0.001)  # hardly moves
    found = search(8, linear)
    assert found[0].loss < search(1, linear)[0].loss
    assert found[0].params.learning_rate > linear.learning_rate


def test_the_same_seed_makes_the_same_search():
    base = FmParams(n_factors=2, n_epochs=3)
    assert search(3, base, seed=5) == search(3, base, seed=5)


def test_nonsense_is_refused_with_its_value():
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        search(0, FmParams())
    with pytest.raises(ValueError, match="validation_share must be above 0"):
        search(1, FmParams(validation_share=0))
