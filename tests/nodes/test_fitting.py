"""How nodes fit their models: a search and its memory, epochs that help, an index for many items."""

import json
from dataclasses import replace

import numpy as np
import pytest

import recflow.nodes  # noqa: F401  fills the registry
from recflow.algorithms.als import AlsParams
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.engine.registry import FITTERS, NODE_TYPES
from recflow.nodes import item_to_item

RULES = FeedbackRules(positive=(FeedbackRule("like"),))
DAY = 86_400_000_000


@pytest.fixture
def view():
    """Two camps of users, each with its own items, in the order of time."""
    users = [UserRow(f"u{n:02}") for n in range(20)]
    items = [ItemRow(f"i{n:02}", labels=json.dumps({"v": [n % 2, n / 100]})) for n in range(20)]
    feedback = [
        (f"u{u:02}", f"i{i:02}", "like", 1.0, DAY * (1 + (u * 7 + i * 3) % 50))
        for u in range(20)
        for i in range(20)
        if u % 2 == i % 2 and (u + i) % 5
    ]
    return build_snapshot(users, items, feedback, version="1", taken_at=100 * DAY).view(RULES)


def spec(**settings):
    entry = NODE_TYPES["collaborative"]
    (found,) = entry.models(entry.read_settings({"n_factors": 4, "n_epochs": 6} | settings), RULES)
    return found


def fit(view, params, said=None):
    heard = (lambda share, text: said.append(text)) if said is not None else (lambda share, text: None)
    return FITTERS["mf"].fit(view, dict(params), np.random.default_rng(0), heard, lambda: None)


def test_without_a_search_the_settings_of_the_node_are_used(view):
    model = fit(view, spec().params)
    assert json.loads(model.found)["n_factors"] == 4
    assert "trials" not in spec().params


def test_a_search_tries_as_many_settings_as_asked_and_keeps_the_best(view):
    said = []
    model = fit(view, spec(optimize_period="24h", optimize_trials=3).params, said)
    assert [text for text in said if text.startswith("search")][-1].startswith("search: 3 of 3, NDCG@10")
    assert model.searched_at == view.snapshot.taken_at
    assert model.item_factors.shape[1] == json.loads(model.found)["n_factors"]


def test_between_searches_trainings_use_what_was_found(view):
    params = spec(optimize_period="24h", optimize_trials=3).params
    model = replace(fit(view, params), found=json.dumps({**vars(AlsParams()), "n_factors": 7}))
    carried = FITTERS["mf"].carry(model, dict(params), view)
    assert carried["trials"] == 0
    assert fit(view, carried).item_factors.shape[1] == 7
    old = replace(model, searched_at=view.snapshot.taken_at - 25 * 3_600_000_000)
    assert FITTERS["mf"].carry(old, dict(params), view)["trials"] == 3  # 25 hours: search again


def test_patience_trains_only_the_epochs_that_help_and_then_on_every_like(view):
    model = fit(view, spec(n_epochs=40, patience=2).params)
    assert model.n_epochs < 40
    assert json.loads(model.found)["n_epochs"] == model.n_epochs


def test_the_newest_time_of_each_pair_is_found_in_the_order_of_the_matrix(view):
    from recflow.nodes.collaborative import _likes

    matrix, times = _likes(view)
    log = view.positive
    for user, item, moment in zip(log.users, log.items, log.times, strict=True):
        start, stop = matrix.indptr[user], matrix.indptr[user + 1]
        place = start + int(np.searchsorted(matrix.indices[start:stop], item))
        assert times[place] == moment


def test_many_items_get_an_index_and_its_recall_is_told(view, monkeypatch):
    pytest.importorskip("usearch")
    entry = NODE_TYPES["item-to-item"]
    settings = entry.read_settings({"similarity": "embedding", "column": "item.Labels.v", "n_neighbors": 5})
    (wanted,) = entry.models(settings, RULES)

    def neighbors():
        rng = np.random.default_rng(0)
        return FITTERS[wanted.kind].fit(view, dict(wanted.params), rng, lambda s, t: None, lambda: None)

    exact = neighbors()
    assert exact.recall == 1.0
    monkeypatch.setattr(item_to_item, "WORTH_AN_INDEX", 10)
    indexed = neighbors()
    assert 0.9 < indexed.recall <= 1.0  # equal distances may come in another order
    assert np.allclose(np.sort(indexed.scores), np.sort(exact.scores), atol=1e-5)


def test_the_factorization_machine_searches_when_asked(view):
    entry = NODE_TYPES["ranker"]
    rules = replace(RULES, negative=(FeedbackRule("hate"),))
    settings = entry.read_settings({"kind": "fm", "n_epochs": 2, "n_factors": 2, "search_trials": 2})
    (wanted,) = entry.models(settings, rules)
    log = view.snapshot.feedback
    hates = replace(log, types=(np.arange(len(log)) % 4 == 0).astype(np.int16), type_names=("like", "hate"))
    seen = replace(view.snapshot, feedback=hates, _views={}).view(rules)
    said = []
    FITTERS["fm"].fit(
        seen,
        dict(wanted.params),
        np.random.default_rng(0),
        lambda share, text: said.append(text),
        lambda: None,
    )
    assert [text[:14] for text in said if text.startswith("search")] == ["search: 1 of 2", "search: 2 of 2"]
