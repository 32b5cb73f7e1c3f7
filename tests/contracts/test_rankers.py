"""What every ranker that is fitted owes, run over all of them on the playground's library."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest

from dashboard.artifacts import ArtifactStore
from recflow.data.feedback import FeedbackRule, FeedbackRules, UserHistory
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.engine.registry import FITTERS, NODE_TYPES, ModelSpec, Renumbering
from recflow.nodes.ranker import KINDS

RULES = FeedbackRules(positive=(FeedbackRule("star"), FeedbackRule("like")), read=(FeedbackRule("read"),))
FITTED = [kind for kind in ("mf", "hybrid", "fm") if kind in KINDS]
every_ranker = pytest.mark.parametrize("kind", FITTED)


def spec_of(kind):
    entry = NODE_TYPES["ranker"]
    (spec,) = entry.models(entry.read_settings({"kind": kind}), RULES)
    return spec


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("models"), quick_s=1e9)


def history(library, user_id, known=True):
    user = library.users.ids.find(user_id)
    if user is None:
        return UserHistory(user_id, is_known=known)
    log = library.feedback
    rows = np.arange(len(log))[log.rows_of(user)][::-1]
    return UserHistory(
        user_id,
        log.items[rows],
        tuple(library.items.ids.texts(log.items[rows])),
        tuple(log.type_names[t] for t in log.types[rows]),
        log.values[rows],
        log.times[rows],
        is_known=True,
    )


def rank(library, artifacts, kind, who, memo=None):
    document = {
        "nodes": [
            {"id": "s", "type": "data-source"},
            {"id": "l", "type": "latest"},
            {"id": "k", "type": "ranker", "settings": {"kind": kind}},
            {"id": "r", "type": "recommend"},
        ],
        "edges": [
            {"id": "1", "source": "s", "target": "l"},
            {"id": "2", "source": "l", "target": "k"},
            {"id": "3", "source": "k", "target": "r"},
        ],
    }
    with ThreadPoolExecutor(2) as pool:
        services = Services(artifacts, pool, memo or Memo())
        request = RunRequest(who, n=0, now=library.taken_at)
        run = asyncio.run(execute(load_flow(document), request, library, services))
    assert run.degraded == []
    return run.outputs["l"].items.tolist(), run.outputs["k"]


def busy_user(library):
    counts = np.bincount(library.view(RULES).positive.users, minlength=library.n_users)
    return library.users.ids[int(np.argmax(counts))]


@every_ranker
def test_a_ranking_is_a_permutation_with_scores_that_fall(library, artifacts, kind):
    came_in, ranked = rank(library, artifacts, kind, history(library, busy_user(library)))
    assert sorted(ranked.items.tolist()) == sorted(came_in)
    assert ranked.items.tolist() != came_in
    assert np.all(np.diff(ranked.scores) <= 0)
    assert np.isfinite(ranked.scores).all()


@every_ranker
def test_two_users_with_other_tastes_get_other_orders(library, artifacts, kind):
    counts = np.bincount(library.view(RULES).positive.users, minlength=library.n_users)
    one, other = (library.users.ids[int(user)] for user in np.argsort(-counts)[:2])
    first = rank(library, artifacts, kind, history(library, one))[1].items.tolist()
    second = rank(library, artifacts, kind, history(library, other))[1].items.tolist()
    assert [i for i in first if i in second] != [i for i in second if i in first]


@every_ranker
@pytest.mark.parametrize("who", ["nobody we know", ""])
def test_a_stranger_gets_a_permutation_too(library, artifacts, kind, who):
    came_in, ranked = rank(library, artifacts, kind, history(library, who, known=False))
    assert sorted(ranked.items.tolist()) == sorted(came_in)


@every_ranker
def test_the_same_seed_fits_the_same_model(library, kind):
    spec = spec_of(kind)
    view = library.view(RULES)

    def fitted():
        rng = np.random.default_rng(7)
        return FITTERS[spec.kind].fit(view, dict(spec.params), rng, lambda s, t: None, lambda: None)

    one, other = fitted(), fitted()
    arrays = [field.name for field in fields(one) if getattr(one, field.name).__class__ is np.ndarray]
    assert arrays
    for name in arrays:
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@every_ranker
def test_a_model_comes_back_from_disk_and_ranks_the_same(library, artifacts, kind, tmp_path):
    who = history(library, busy_user(library))
    fresh = rank(library, artifacts, kind, who)[1].items.tolist()
    again = rank(library, ArtifactStore(artifacts.folder, quick_s=0), kind, who)[1].items.tolist()
    assert again == fresh


@every_ranker
def test_items_the_model_never_saw_stand_below_and_the_rest_keeps_its_order(library, artifacts, kind):
    """Renumber the model as a newer catalogue would: item 0 is gone, one unknown item is at the end."""
    spec = spec_of(kind)
    artifact = artifacts.get(spec, library.view(RULES))
    n, n_users = library.n_items, library.n_users
    places = np.arange(-1, n - 1, dtype=np.int32)
    users = Renumbering(np.arange(n_users, dtype=np.int32), n_users)
    newer = FITTERS[spec.kind].remap(artifact, Renumbering(places, n), users)

    class Newer:
        def version(self, spec):
            return "newer"

        def get(self, spec, view, *, progress, check):
            return newer

    who = history(library, "nobody", known=False)
    # Under the new numbers row i holds what row i + 1 held; the last row is new.
    came_in, after = rank(library, Newer(), kind, who)
    assert sorted(after.items.tolist()) == sorted(came_in)
    if n - 1 in came_in and kind != "mf":
        assert after.items[-1] == n - 1
        assert np.isnan(after.scores[-1])


def test_a_model_spec_is_the_same_whatever_order_its_parameters_come_in():
    one = ModelSpec("mf", {"a": 1, "b": 2}, RULES)
    other = ModelSpec("mf", {"b": 2, "a": 1}, RULES)
    assert one.key == other.key
    assert ModelSpec("mf", {"a": 1, "b": 3}, RULES).key != one.key
