"""What every recommender does with its scores: leave out what may not be shown, keep the best, say what went.

Not a node type; the one piece of policy that the recommenders share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.algorithms.topk import top_n, top_n_sparse
from recflow.engine.blocks import BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.values import Candidates, Step, UserContext
from recflow.errors import UnknownItem


def propose(
    ctx: RunContext,
    user: UserContext,
    scores: NDArray[np.floating],
    *,
    warnings: Sequence[str] = (),
    details: dict | None = None,
) -> Candidates:
    """The best items of a score for every item.

    Args:
        ctx: the node's window on the run.
        user: whom it is for.
        scores: (n_items,) higher is better; NaN or -inf: not proposed.
        warnings: sentences to show beside the node.
        details: what the node wants to show of its work.

    Returns:
        At most ``ctx.pool_size`` items the user may be shown. Items that would have made the list but for a
        reason are in the trail as dropped.
    """
    scores = np.asarray(scores, dtype=np.float64)
    barred = barred_items(ctx, user)
    forbidden = np.logical_or.reduce([mask for _, mask in barred])
    items = top_n(scores, ctx.pool_size, exclude=forbidden)
    in_reach = np.isfinite(scores)
    if len(items) == ctx.pool_size and len(items):
        in_reach &= scores >= scores[items[-1]]
    drops = _drops(ctx, scores, barred, in_reach)
    return Candidates.proposed(
        ctx.source, items, scores[items], drops=drops, warnings=warnings, details=details
    )


def barred_items(ctx: RunContext, user: UserContext) -> list[tuple[str, NDArray[np.bool_]]]:
    """Why items may not be shown to a user: reason and (n_items,) mask, the strongest reason first."""
    items = user.snapshot.items
    barred = [
        ("hidden", items.hidden),
        ("expired", ~user.view.alive & ~items.hidden),
        ("negative", user.disliked),
        ("read", user.excluded),
    ]
    if ctx.request.categories:
        barred.append(("category", ~items.in_categories(ctx.request.categories)))
    return barred


def _drops(
    ctx: RunContext,
    scores: NDArray[np.float64],
    barred: Sequence[tuple[str, NDArray[np.bool_]]],
    in_reach: NDArray[np.bool_],
) -> list[Step]:
    """Steps of the items that score well enough but may not be shown, each under its first reason."""
    drops = []
    left = in_reach.copy()
    for reason, mask in barred:
        items = np.flatnonzero(mask & left).astype(np.int32)
        left &= ~mask
        if len(items):
            places = np.zeros(len(items), np.int32)
            drops.append(Step(ctx.source, "dropped", items, places, scores[items], reason=reason))
    return drops


def propose_alike(ctx: BlockContext, users: UserBlock, scores: NDArray[np.floating]) -> CandidateBlock:
    """``propose`` for many users and scores that are the same for all of them: (n_items,)."""
    # Whatever a user has feedback on makes room for as many items further down.
    reach = ctx.pool_size + int(np.diff(users.excluded.indptr).max(initial=0))
    order = top_n(np.asarray(scores, dtype=np.float64), reach, exclude=~users.view.alive)
    best = np.broadcast_to(order, (len(users), len(order)))
    shown = CandidateBlock(best, np.broadcast_to(scores[order].astype(np.float64), best.shape))
    return shown.where(~users.excluded[:, order].toarray()).cut(ctx.pool_size)


def propose_sparse(ctx: BlockContext, users: UserBlock, scores: sparse.csr_matrix) -> CandidateBlock:
    """``propose`` for many users: (n_users, n_items) scores, of which what is not stored is not proposed."""
    barred = users.excluded.toarray()
    barred |= ~users.view.alive
    rows = np.repeat(np.arange(len(users)), np.diff(scores.indptr))
    worth = scores.data.astype(np.float32)
    worth[barred[rows, scores.indices]] = -np.inf
    return CandidateBlock.of(*top_n_sparse(scores.indptr, scores.indices, worth, ctx.pool_size))


def known_items(ids: Sequence[str], ctx: RunContext) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Item indices of outside ids in their order, without repeats, and the ids nobody knows.

    Raises:
        UnknownItem: there are ids, but not one of them is known.
    """
    found = ctx.snapshot.items.ids.find_many(ids)
    unknown = tuple(text for text, index in zip(ids, found, strict=True) if index < 0)
    if ids and len(unknown) == len(ids):
        raise UnknownItem(f"None of the {len(ids)} ids is in the catalogue; the first is {ids[0]!r}")
    known = found[found >= 0]
    _, first = np.unique(known, return_index=True)
    return known[np.sort(first)], unknown
