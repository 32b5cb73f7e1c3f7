"""The rankers that can be measured, by name: controls, the models of this project, and the kinds of a node.

A model is fitted on the training feedback of each split alone; what an item is (time, labels, vector) is
known to all of them, from the same tables as in production.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dashboard.evaluation.datasets import Measured
from recflow.algorithms.als import AlsParams
from recflow.algorithms.fm import FmParams
from recflow.algorithms.hybrid import HybridParams
from recflow.algorithms.words import word_labels
from recflow.data.snapshot import Snapshot
from recflow.evaluation.controls import Echo, controls
from recflow.evaluation.model_rankers import FactorizationMachine, Hybrid, MatrixFactorization
from recflow.evaluation.questions import Ranker
from recflow.expressions import compile_expression
from recflow.expressions.columns import embedding_matrix, tag_matrix
from recflow.nodes.ranker import fm

P = TypeVar("P", AlsParams, FmParams)

BASELINE = "mf"
CONTROLS = ("random", "echo", "reverse", "popularity")
MODELS = ("mf", "hybrid", "fm")
#: Asked over the network; measured when an endpoint is configured.
ASKED = "llm"
#: What people call them.
LABELS = {
    "mf": "Matrix factorization",
    "hybrid": "Hybrid",
    "fm": "Factorization machine",
    "llm": "Language model",
    "random": "Random",
    "echo": "Echo",
    "reverse": "Reverse",
    "popularity": "Popularity",
}


class ItemTables:
    """What is known of items and users beside feedback; each table is made when a ranker first needs it."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    @property
    def _snapshot(self) -> Snapshot:
        return self._measured.snapshot

    @property
    def item_times(self) -> NDArray[np.int64]:
        return self._snapshot.items.times

    @cached_property
    def tags(self) -> sparse.csr_matrix:
        items = self._snapshot.items
        return tag_matrix([items.labels_of(index) for index in range(len(items))])

    @cached_property
    def labels(self) -> dict[str, sparse.spmatrix]:
        items = self._snapshot.items
        return {
            "categories": items.categories.astype(np.float32),
            "tags": self.tags,
            "title": word_labels(items.comments.all()),
        }

    @cached_property
    def user_features(self) -> sparse.csr_matrix:
        return fm.user_features(self._measured.view)

    def item_features(self, column: str) -> sparse.csr_matrix:
        return fm.item_features(self._measured.view, column)

    @cached_property
    def values(self) -> sparse.csr_matrix:
        """(n_users, n_items) the value of the newest positive feedback of each pair."""
        log = self._measured.view.positive
        pairs = log.users.astype(np.int64) * self._snapshot.n_items + log.items
        last = len(log) - 1 - np.unique(pairs[::-1], return_index=True)[1]
        cells = (log.values[last], (log.users[last], log.items[last]))
        return sparse.csr_matrix(cells, shape=(self._snapshot.n_users, self._snapshot.n_items))

    def embedding(self, column: str) -> NDArray[np.float32] | None:
        """The vectors that an expression such as item.Labels.embedding finds; None where there are none."""
        if not column:
            return None
        items = self._snapshot.items
        found = compile_expression(column, expects="any", scope="item").evaluate_column(items)
        matrix, has_vector, _ = embedding_matrix(found)
        return matrix if has_vector.any() else None


def _mf(tables: ItemTables, params: Mapping[str, Any], seed: int) -> Ranker:
    return MatrixFactorization(_numbers(AlsParams, params), seed)


def _numbers(kind: type[P], params: Mapping[str, Any]) -> P:
    """The numbers of a fit, without what a model's parameters say of searches and columns."""
    return kind(**{field.name: params[field.name] for field in fields(kind) if field.name in params})


def _hybrid(tables: ItemTables, params: Mapping[str, Any], seed: int) -> Ranker:
    chosen = dict(params)
    embedding = tables.embedding(chosen.pop("embedding", ""))
    if "half_lives_days" in chosen:
        chosen["half_lives_days"] = tuple(chosen["half_lives_days"])
    return Hybrid(tables.item_times, tables.labels, embedding, tables.values, HybridParams(**chosen), seed)


def _fm(tables: ItemTables, params: Mapping[str, Any], seed: int) -> Ranker:
    """With the very features of the node, vectors among them."""
    column = params.get("embedding", fm.FmSettings().embedding)
    return FactorizationMachine(
        tables.user_features, tables.item_features(column), params=_numbers(FmParams, params), seed=seed
    )


#: Kind of model -> how it is measured with the parameters of its ModelSpec.
MODEL_RANKERS: dict[str, Callable[[ItemTables, Mapping[str, Any], int], Ranker]] = {
    "mf": _mf,
    "hybrid": _hybrid,
    "fm": _fm,
}


def named_ranker(name: str, tables: ItemTables, seed: int) -> Ranker:
    """A control or a model with its default parameters."""
    if name in MODEL_RANKERS:
        return MODEL_RANKERS[name](tables, {}, seed)
    return controls(seed)[name]


def keeping_order() -> Ranker:
    """What a ranker node of kind "none" is."""
    return Echo()
