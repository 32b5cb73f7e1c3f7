from dataclasses import fields, replace

import numpy as np
import pytest
from pytest import approx
from scipy import sparse

from recflow.algorithms import hybrid
from recflow.algorithms.hybrid import (
    HybridData,
    HybridModel,
    HybridParams,
    explain_candidates,
    fit_hybrid,
    score_candidates,
)
from recflow.errors import NoFeedback

DAY = 86_400_000_000
N_USERS, N_ITEMS, N_KINDS = 60, 120, 4
NOW = 200 * DAY
PARAMS = HybridParams(n_negatives=20, n_factors=4, n_epochs=3)


def rng(seed=0):
    return np.random.default_rng(seed)


def planted(seed=0, n_likes=8):
    """Everybody likes items of one kind, the kind is a label of the item; items appear one a day."""
    draw = rng(seed)
    kinds = np.arange(N_ITEMS) % N_KINDS
    users = np.repeat(np.arange(N_USERS), n_likes)
    own_kind = np.repeat(np.arange(N_USERS) % N_KINDS, n_likes)
    picks = np.concatenate([draw.choice(N_ITEMS // N_KINDS, n_likes, replace=False) for _ in range(N_USERS)])
    return HybridData(
        users=users.astype(np.int32),
        items=(picks * N_KINDS + own_kind).astype(np.int32),
        times=(150 * DAY + draw.permutation(len(users)) * DAY // 20).astype(np.int64),
        values=draw.integers(4, 6, len(users)).astype(np.float32),
        n_users=N_USERS,
        n_items=N_ITEMS,
        item_times=np.arange(N_ITEMS, dtype=np.int64) * DAY,
        labels={"categories": sparse.csr_matrix(np.eye(N_KINDS, dtype=np.float32)[kinds])},
        embedding=draw.normal(size=(N_ITEMS, 3)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def model(data):
    return fit_hybrid(data, PARAMS, rng=rng())


def history_of(data, user):
    return data.items[data.users == user], data.times[data.users == user]


def test_blend_finds_what_the_user_likes(data, model):
    history = history_of(data, 5)  # likes kind 1
    scores = score_candidates(model, *history, np.arange(N_ITEMS), NOW)
    assert set(np.argsort(-scores)[:20] % N_KINDS) == {1}


def test_fitting_is_less_surprised_than_guessing(model):
    assert model.loss < 0.6 * np.log(21)


def test_weights_learn_what_matters(model):
    prior = {name: hybrid._prior(name) for name in model.names}
    learned = dict(zip(model.names, model.weights, strict=True))
    assert learned["categories match"] > prior["categories match"]
    assert abs(learned["embedding match"]) < prior["embedding match"]  # noise: it loses weight


def test_contributions_add_up_to_the_score(data, model):
    history = history_of(data, 5)
    parts = explain_candidates(model, *history, np.arange(9), NOW)
    assert parts.shape == (9, len(model.names))
    assert parts.sum(axis=1) == approx(score_candidates(model, *history, np.arange(9), NOW))


def test_order_of_candidates_and_history_does_not_matter(data, model):
    items, times = history_of(data, 5)
    shuffled = rng(1).permutation(N_ITEMS)
    backwards = score_candidates(model, items[::-1], times[::-1], shuffled, NOW)
    assert backwards == approx(
        score_candidates(model, items, times, np.arange(N_ITEMS), NOW)[shuffled], rel=1e-4
    )


def test_cold_start_is_ranked_by_what_everybody_likes(model):
    nobody = np.zeros(0, dtype=np.int64)
    parts = explain_candidates(model, nobody, nobody, np.arange(N_ITEMS), NOW)
    about_history = ["categories match", "era match", "embedding match", "neighbors"]
    assert not parts[:, np.isin(model.names, about_history)].any()
    assert np.isfinite(parts).all()


def test_item_yet_to_appear_ranks_below_its_like(data, model):
    scores = score_candidates(model, *history_of(data, 5), np.array([41, 113]), 60 * DAY)
    assert scores[0] > scores[1]  # same kind; item 113 appears on day 113


def test_likes_after_the_request_do_not_show_in_the_trend(data, model):
    trends = [place for place, name in enumerate(model.names) if name.startswith("trend")]
    early = explain_candidates(model, *history_of(data, 5), np.arange(N_ITEMS), 150 * DAY)
    late = explain_candidates(model, *history_of(data, 5), np.arange(N_ITEMS), NOW)
    assert not early[:, trends].any()
    assert late[:, trends].any()


def test_like_that_is_asked_about_is_taken_out_of_every_count(data):
    """Taking it out by arithmetic gives what tables made without it give."""
    target = int(np.lexsort((-data.times, data.users))[0])  # the newest of user 0
    item, now = data.items[target], int(data.times[target])
    kept = np.arange(len(data.items)) != target
    without = replace(
        data, users=data.users[kept], items=data.items[kept], times=data.times[kept], values=data.values[kept]
    )
    mean = data.values.mean()
    candidates = np.array([item, *range(40)], dtype=np.int32)
    history = data.items[kept & (data.users == 0)][:3]

    def features(of, **own):
        order = np.lexsort((-of.times, of.users))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(of.users, minlength=N_USERS))])
        tables = hybrid._tables(of, PARAMS, order, offsets, rng(), lambda: None)
        return dict(
            zip(tables.names, hybrid._features(tables, history, candidates, now, **own).T, strict=True)
        )

    arithmetic = features(data, own=0, own_value=float(data.values[target] - mean))
    remade = features(without)
    plain = features(data)
    for name in ("popularity", "known", "trend of 30 days", "neighbors", "categories match"):
        assert arithmetic[name][0] == approx(remade[name][0], abs=1e-5), name
    assert arithmetic["popularity"][0] < plain["popularity"][0]
    assert arithmetic["neighbors"][0] < plain["neighbors"][0]
    # These also hold a mean over everything, which one like moves a little.
    assert arithmetic["value"][0] == approx(remade["value"][0], abs=0.01)
    assert arithmetic["categories liked by all"][0] == approx(remade["categories liked by all"][0], abs=0.01)


def test_one_like_each_keeps_the_prior_of_what_needs_a_history():
    single = planted(n_likes=1)
    model = fit_hybrid(single, PARAMS, rng=rng())
    learned = dict(zip(model.names, model.weights, strict=True))
    for name in ("categories match", "era match", "embedding match", "neighbors", "factors"):
        assert learned[name] == approx(hybrid._prior(name))
    scores = score_candidates(model, [9], [NOW - DAY], np.arange(N_ITEMS), NOW)
    assert np.mean(np.argsort(-scores)[:10] % N_KINDS == 1) >= 0.6  # matched by category; by chance 0.25


def test_same_seed_same_model(data, model):
    again = fit_hybrid(data, PARAMS, rng=rng())
    for part in fields(HybridModel):
        one, other = getattr(model, part.name), getattr(again, part.name)
        np.testing.assert_array_equal(one, other, part.name)  # where one is NaN, the other has to be


def test_bare_catalogue_still_ranks():
    bare = replace(planted(), labels={}, embedding=None, item_times=np.full(N_ITEMS, hybrid.evidence.NO_TIME))
    model = fit_hybrid(bare, PARAMS, rng=rng())
    scores = score_candidates(model, *history_of(bare, 5), np.arange(N_ITEMS), NOW)
    assert np.isfinite(scores).all()
    assert np.mean(np.argsort(-scores)[:20] % N_KINDS == 1) > 0.5  # shared likes alone tell the kind


def test_catalogue_smaller_than_the_negatives_wanted_is_learned_from():
    tiny = HybridData(
        users=np.array([0, 0, 1], np.int32),
        items=np.array([0, 1, 1], np.int32),
        times=np.array([1, 2, 3]) * DAY,
        values=np.ones(3, np.float32),
        n_users=2,
        n_items=3,
        item_times=np.zeros(3, np.int64),
    )
    model = fit_hybrid(tiny, PARAMS, rng=rng())
    assert np.isfinite(score_candidates(model, [0], [DAY], np.arange(3), 9 * DAY)).all()


def test_nothing_to_learn_from_is_said(data):
    empty = replace(
        data, users=data.users[:0], items=data.items[:0], times=data.times[:0], values=data.values[:0]
    )
    with pytest.raises(NoFeedback, match="got 0 pairs"):
        fit_hybrid(empty, PARAMS, rng=rng())


def test_progress_is_reported_and_a_check_stops_the_fit(data):
    class Stopped(Exception):
        pass

    steps = []

    def on_epoch(step, most, loss):
        steps.append((step, loss))

    def check():
        if len(steps) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        fit_hybrid(data, PARAMS, rng=rng(), on_epoch=on_epoch, check=check)
    assert [step for step, _ in steps] == [1, 2, 3]
    assert steps[2][1] < steps[0][1]


def test_read_only_tables_serve(data, model):
    """As they are when a saved model is memory-mapped."""
    frozen = {part.name: getattr(model, part.name) for part in fields(HybridModel)}
    for name, value in frozen.items():
        if isinstance(value, np.ndarray):
            frozen[name] = value.copy()
            frozen[name].flags.writeable = False
    history = history_of(data, 5)
    expected = score_candidates(model, *history, np.arange(N_ITEMS), NOW)
    assert score_candidates(HybridModel(**frozen), *history, np.arange(N_ITEMS), NOW) == approx(expected)
