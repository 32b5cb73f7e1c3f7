"""How well scores tell positives from negatives: area under the ROC curve, precision, recall.

They live beside the models because early stopping reads them; ``evaluation.metrics`` offers them on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def auc(scores: ArrayLike, is_positive: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, a tie counting one half.

    Args:
        scores: (n,) higher is better; only their order matters.
        is_positive: (n,) truth, as booleans.

    Returns:
        A share in [0, 1]; NaN when one of the two classes is missing.

    Source: the rank-sum form, Hanley and McNeil, Radiology 143, 1982.
    """
    scores = np.asarray(scores, dtype=np.float64)
    is_positive = np.asarray(is_positive, dtype=bool)
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    positive_ranks = rankdata(scores)[is_positive].sum()
    return float((positive_ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def precision(scores: ArrayLike, is_positive: ArrayLike, threshold: float = 0.0) -> float:
    """Share of positives among the samples scored above the threshold; NaN when nothing is."""
    is_predicted = np.asarray(scores) > threshold
    if not is_predicted.any():
        return float("nan")
    return float(np.asarray(is_positive, dtype=bool)[is_predicted].mean())


def recall(scores: ArrayLike, is_positive: ArrayLike, threshold: float = 0.0) -> float:
    """Share of the positives that are scored above the threshold; NaN when there is no positive."""
    is_positive = np.asarray(is_positive, dtype=bool)
    if not is_positive.any():
        return float("nan")
    return float((np.asarray(scores) > threshold)[is_positive].mean())
