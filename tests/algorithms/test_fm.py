from dataclasses import replace
from itertools import combinations
from math import isnan, log

import numpy as np
import pytest
from pytest import approx
from scipy import sparse

from recflow.algorithms.fm import FmModel, FmParams, describe, fit_fm, fm_scores, fm_terms, sample_features
from recflow.errors import NoFeedback


def rng(seed=0):
    return np.random.default_rng(seed)


def model(bias, linear, factors):
    unmeasured = dict.fromkeys(("loss", "auc", "precision", "recall"), float("nan"))
    return FmModel(bias, np.float32(linear), np.float32(factors), n_epochs=0, **unmeasured)


def test_score_by_hand():
    tiny = model(0.5, [1.0, -2.0, 3.0], [[1.0, 0.0], [2.0, 1.0], [0.0, 4.0]])
    samples = sparse.csr_matrix([[1.0, 0.0, 2.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    expected = [
        0.5 + 1 + 3 * 2 + 0 * 2,  # <v1, v3> = 0, times x1 x3 = 2
        0.5 + 1 - 2 + 3 + 2 + 0 + 4,  # <v1, v2> = 2, <v1, v3> = 0, <v2, v3> = 4
        0.5,  # no feature: the bias
    ]
    assert fm_scores(tiny, samples) == approx(expected)


def test_fast_formula_equals_the_sum_over_all_pairs():
    draw = rng(1)
    features = sparse.random(20, 9, density=0.6, random_state=1, format="csr")
    any_model = model(draw.normal(), draw.normal(size=9), draw.normal(size=(9, 4)))
    for score, x in zip(fm_scores(any_model, features), features.toarray(), strict=True):
        pairs = sum(
            any_model.factors[i] @ any_model.factors[j] * x[i] * x[j] for i, j in combinations(range(9), 2)
        )
        assert score == approx(any_model.bias + any_model.linear @ x + pairs, rel=1e-4, abs=1e-4)


def test_terms_of_user_and_item_add_up_to_the_score_of_the_pair():
    draw = rng(2)
    users = describe(3, labels=sparse.csr_matrix([[1, 0], [1, 1], [0, 1]]))
    items = describe(4, numbers=draw.normal(size=(4, 1)), embedding=draw.normal(size=(4, 2)))
    n_columns = users.shape[1] + items.shape[1]
    any_model = model(0.3, draw.normal(size=n_columns), draw.normal(size=(n_columns, 5)))
    own_users, user_vectors = fm_terms(any_model, users)
    own_items, item_vectors = fm_terms(any_model, items, first_column=users.shape[1])
    whole = fm_scores(any_model, sample_features([2, 0], [3, 1], users, items))
    for score, user, item in zip(whole, (2, 0), (3, 1), strict=True):
        parts = any_model.bias + own_users[user] + own_items[item] + user_vectors[user] @ item_vectors[item]
        assert score == approx(parts, rel=1e-4)


def test_rows_are_described_by_who_they_are_then_labels_numbers_and_embedding():
    described = describe(
        2,
        labels=sparse.csr_matrix([[1, 1, 0], [1, 0, 1]]),  # only the first is carried twice
        numbers=[[10.0, np.nan], [30.0, 5.0]],  # mean 20, deviation 10; a single known 5 is the mean
        embedding=[[3.0, 4.0], [0.0, 0.0]],
    )
    assert described.toarray() == approx(
        np.array([[1, 0, 1, -1, 0, 0.6, 0.8], [0, 1, 1, 1, 0, 0, 0]], dtype=np.float32)
    )


def test_a_number_nobody_has_says_nothing():
    assert describe(2, numbers=[[np.nan], [np.nan]]).toarray()[:, 2].tolist() == [0.0, 0.0]


def test_unknown_user_leaves_that_half_of_the_sample_empty():
    sample = sample_features([-1, 1], [0, -1], describe(2), describe(3))
    assert sample.toarray().tolist() == [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]


def planted(n=6_000, seed=0):
    """Users of two tastes, items of two kinds, liked when they agree: no side alone tells anything."""
    draw = rng(seed)
    users, items = draw.integers(40, size=n), draw.integers(60, size=n)
    likes = np.where(users % 2 == items % 2, 0.95, 0.05) > draw.random(n)
    return sample_features(users, items, describe(40), describe(60)), likes


def test_meeting_features_beat_a_linear_model_where_taste_is_planted():
    features, likes = planted()
    machine = fit_fm(features, likes, FmParams(n_factors=4), rng=rng())
    linear = fit_fm(features, likes, FmParams(n_factors=0), rng=rng())
    assert machine.auc > 0.9
    assert linear.auc < 0.6
    unseen, truth = planted(seed=9)
    assert ((fm_scores(machine, unseen) > 0) == truth).mean() > 0.9
    assert machine.precision > 0.85 and machine.recall > 0.85


def test_labels_carry_over_to_users_never_seen():
    draw = rng(3)
    users, items = draw.integers(30, size=5_000), draw.integers(50, size=5_000)
    described_users = describe(40, labels=np.eye(2)[np.arange(40) % 2])
    described_items = describe(50, labels=np.eye(2)[np.arange(50) % 2])
    likes = users % 2 == items % 2
    fitted = fit_fm(sample_features(users, items, described_users, described_items), likes, rng=rng())
    strangers, shown = draw.integers(30, 40, size=500), draw.integers(50, size=500)
    scores = fm_scores(fitted, sample_features(strangers, shown, described_users, described_items))
    assert ((scores > 0) == (strangers % 2 == shown % 2)).mean() > 0.95


def test_first_step_by_hand():
    # One positive sample with the features 0 and 1 and no factors. The bias starts at log((1 + 1) / (0 + 1)),
    # so the slope is -1 / 3; AdaGrad's first step has the length of the learning rate, against the slope.
    params = FmParams(n_factors=0, n_epochs=1, learning_rate=0.1, regularization=0.0, validation_share=0)
    fitted = fit_fm(sparse.csr_matrix([[1.0, 1.0, 0.0]]), [1], params, rng=rng())
    assert fitted.bias == approx(log(2) + 0.1, rel=1e-4)
    assert fitted.linear.tolist() == approx([0.1, 0.1, 0.0], rel=1e-4)
    assert fitted.loss == approx(log(1 + np.exp(-(log(2) + 0.3))), rel=1e-4)


def test_same_seed_same_weights():
    features, likes = planted(n=500)
    one, same, other = (fit_fm(features, likes, FmParams(n_epochs=3), rng=rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.factors, same.factors) and one.loss == same.loss
    assert not np.array_equal(one.factors, other.factors)


def test_fit_stops_early_and_keeps_the_best_epoch():
    losses = []
    features = sample_features(*rng(4).integers(30, size=(2, 300)), describe(30), describe(30))
    noise = rng(5).random(300) > 0.5
    params = FmParams(n_epochs=50, learning_rate=0.5, patience=2)
    fitted = fit_fm(
        features, noise, params, rng=rng(), on_epoch=lambda epoch, most, loss: losses.append(loss)
    )
    assert len(losses) < 50
    assert fitted.loss == min(losses)
    assert fitted.n_epochs == losses.index(min(losses)) + 1 == len(losses) - 2


def test_features_that_never_occur_do_not_move():
    features = sparse.csr_matrix([[1.0, 0.0], [1.0, 0.0]])
    fitted = fit_fm(features, [1, -1], FmParams(n_epochs=1), rng=rng())
    assert fitted.linear[1] == 0


def test_samples_of_one_kind_leave_the_auc_open():
    features, _ = planted(n=50)
    fitted = fit_fm(features, np.ones(50), rng=rng())
    assert isnan(fitted.auc)
    assert fitted.recall == 1.0
    assert np.isfinite(fm_scores(fitted, features)).all()


def test_nothing_to_learn_from_is_said():
    with pytest.raises(NoFeedback, match="got 0 samples"):
        fit_fm(sparse.csr_matrix((0, 3)), [], rng=rng())


def test_check_between_epochs_stops_the_fit():
    class Stopped(Exception):
        pass

    def check():
        raise Stopped

    with pytest.raises(Stopped):
        fit_fm(*planted(n=50), rng=rng(), check=check)


@pytest.mark.parametrize(
    "setting, value, message",
    [
        ("n_factors", -1, "n_factors must be at least 0, got -1"),
        ("n_epochs", 0, "n_epochs must be at least 1, got 0"),
        ("validation_share", 1.0, r"validation_share must be inside \[0, 1\), got 1.0"),
    ],
)
def test_nonsense_settings_are_a_mistake_of_the_caller(setting, value, message):
    with pytest.raises(ValueError, match=message):
        replace(FmParams(), **{setting: value})
