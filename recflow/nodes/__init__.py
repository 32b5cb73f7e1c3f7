"""The node types, one file each; importing them, in palette order, fills the registry.

No Django may come in, and no node type imports another: what they share is `proposing.py` or an algorithm.
"""

from recflow.nodes import (  # noqa: I001  the order is the palette's
    data_source,
    latest,
    non_personalized,
    collaborative,
    item_to_item,
    user_to_user,
    external,
    merge,
    filter,
    diversify,
    ranker,
    fallback,
    recommend,
)

__all__ = [
    "collaborative",
    "data_source",
    "diversify",
    "external",
    "fallback",
    "filter",
    "item_to_item",
    "latest",
    "merge",
    "non_personalized",
    "ranker",
    "recommend",
    "user_to_user",
]
