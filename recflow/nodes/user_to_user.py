"""User-to-User: what the most similar users like.

The users most like this one give every item they like their similarity. The user is compared as of this
moment, so new feedback counts at once. Similarity is measured by

**items**: how many of the same items both liked, rare items counting more;
**tags**: how many tags both users carry;
**embedding**: the distance of two vectors in the users' labels.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from recflow.algorithms.neighbors import (
    index_sets,
    rows_like_set,
    rows_like_sets,
    rows_like_vector,
    score_from_similar_users,
)
from recflow.engine.blocks import BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.expressions import compile_expression
from recflow.expressions.columns import tag_matrix
from recflow.nodes.proposing import propose, propose_sparse
from recflow.nodes.similarity import column_field, column_problems, n_neighbors_field, vectors_or_nan


class Settings(NodeSettings):
    """What makes two users alike."""

    similarity: Literal["items", "tags", "embedding"] = Field(
        "items", title="Similarity", description="What makes two users alike."
    )
    column: str = column_field(
        "user", "Where the tags or the vector of a user are, such as user.Labels.tags."
    )
    n_neighbors: int = n_neighbors_field("Similar users whose taste counts.")


def check(settings: Settings) -> list[tuple[str, str]]:
    return column_problems(settings.similarity, settings.column, without="items", scope="user")


@node(
    "user-to-user",
    label="User-to-User",
    icon="users",
    family="recommender",
    settings=Settings,
    card=("similarity",),
    check=check,
)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    users, similarities = similar_users(ctx, user, settings)
    return propose(ctx, user, score_from_similar_users(users, similarities, user.view.positive.matrix))


def similar_users(ctx: RunContext, user: UserContext, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the users most like this one among those who like anything, best first, and how like."""
    matrix = user.view.positive.matrix
    likes = np.diff(matrix.indptr) > 0
    if user.user_index is not None:
        likes[user.user_index] = False
    if settings.similarity == "items":
        return rows_like_set(np.unique(user.liked), matrix, settings.n_neighbors, candidates=likes)
    if settings.similarity == "tags":
        return _by_tags(ctx, user, settings, likes)
    return _by_embedding(ctx, user, settings, likes)


@in_blocks("user-to-user")
def run_block(ctx: BlockContext, user: UserBlock, settings: Settings) -> CandidateBlock:
    if settings.similarity != "items":
        return ctx.by_user(lambda run_ctx, user: run(run_ctx, user, settings), {"user": user})
    positive = user.view.positive.matrix
    index = ctx.shared(("likes", "sets"), lambda: index_sets(positive))
    likes = np.diff(positive.indptr) > 0
    similar = rows_like_sets(
        user.newest_liked(len(user.liked)), index, settings.n_neighbors, own=user.users, candidates=likes
    )
    # Sums run over the similar users, best first, and in double precision, as those of a single run do.
    return propose_sparse(
        ctx, user, similar @ ctx.shared(("likes", "64"), lambda: positive.astype(np.float64))
    )


def _column(ctx: RunContext, settings: Settings) -> list:
    """What every user has at the column; the same for all runs on a snapshot."""
    column = compile_expression(settings.column, expects="any", scope="user")
    return column.evaluate_column(ctx.snapshot.users)


def _by_tags(
    ctx: RunContext, user: UserContext, settings: Settings, likes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if user.user_index is None:
        return _nobody()
    (tags,) = ctx.shared(
        ("user-tags", settings.column), lambda: (tag_matrix(_column(ctx, settings)),), keep_s=600.0
    )
    own = tags.indices[tags.indptr[user.user_index] : tags.indptr[user.user_index + 1]]
    return rows_like_set(own, tags, settings.n_neighbors, candidates=likes)


def _by_embedding(
    ctx: RunContext, user: UserContext, settings: Settings, likes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if user.user_index is None:
        return _nobody()
    vectors = ctx.shared(
        ("user-vectors", settings.column), lambda: vectors_or_nan(_column(ctx, settings)), keep_s=600.0
    )
    return rows_like_vector(vectors[user.user_index], vectors, settings.n_neighbors, candidates=likes)


def _nobody() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0, np.int32), np.zeros(0, np.float32)
