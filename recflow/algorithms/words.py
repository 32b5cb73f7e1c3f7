"""Words of titles and comments as labels, so that sequels, series and names can be matched."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from scipy import sparse

#: A run of letters, apostrophes inside included; digits and punctuation tell little about taste.
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def word_labels(texts: Iterable[str]) -> sparse.csr_matrix:
    """(n_texts, n_words) float32, 1 where a text has a word, whatever its case; words in alphabetical order.

    Words of a single text are left out: they match nothing.
    """
    owned = [{word.casefold() for word in _WORD.findall(text)} for text in texts]
    rows = np.repeat(np.arange(len(owned)), [len(words) for words in owned])
    flat = [word for words in owned for word in words]
    if not flat:
        return sparse.csr_matrix((len(owned), 0), dtype=np.float32)
    _, columns, counts = np.unique(np.array(flat), return_inverse=True, return_counts=True)
    labels = sparse.csr_matrix(
        (np.ones(len(flat), np.float32), (rows, columns)), shape=(len(owned), len(counts))
    )
    return labels[:, counts > 1].sorted_indices()
