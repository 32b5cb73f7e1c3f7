"""Array aliases, and the vocabulary between outside ids and dense row numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

IndexVector = NDArray[np.int32]
ScoreVector = NDArray[np.float32]
BoolVector = NDArray[np.bool_]
TimeVector = NDArray[np.int64]  # microseconds since 1970-01-01T00:00:00Z

#: Go's zero time, 0001-01-01T00:00:00Z: "no timestamp was given".
NO_TIME = -62_135_596_800_000_000
MICROSECONDS_PER_DAY = 86_400_000_000


def hash_id(text: bytes) -> int:
    """A 64-bit hash of an id that is the same in every process (Python's own is salted)."""
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


class TextColumn:
    """A column of texts as one blob of UTF-8 and its offsets, so that it can be memory-mapped.

    Args:
        blob: (n_bytes,) uint8, all texts one after the other.
        offsets: (n + 1,) int64; text i is ``blob[offsets[i]:offsets[i + 1]]``.
    """

    __slots__ = ("blob", "offsets")

    def __init__(self, blob: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self.blob = blob
        self.offsets = offsets

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> TextColumn:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def raw(self, index: int) -> bytes:
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def __getitem__(self, index: int) -> str:
        return self.raw(index).decode("utf-8", "surrogatepass")

    def all(self) -> list[str]:
        """Every text, decoded in one go."""
        data = self.blob.tobytes()
        bounds = self.offsets.tolist()
        return [data[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(bounds)]


class Vocabulary:
    """Outside ids and their dense row numbers, 0 to n - 1, both ways.

    The look-up is a binary search over sorted 64-bit hashes rather than a dict: it can be memory-mapped by
    many processes, and a catalogue of millions costs 16 bytes an id beside the text itself.
    """

    __slots__ = ("_hashes", "_order", "ids")

    def __init__(self, ids: TextColumn, hashes: NDArray[np.int64], order: IndexVector) -> None:
        self.ids = ids
        self._hashes = hashes
        self._order = order

    @classmethod
    def from_ids(cls, ids: Sequence[str]) -> Vocabulary:
        column = TextColumn.from_texts(ids)
        hashes = np.fromiter((hash_id(column.raw(i)) for i in range(len(column))), np.int64, len(column))
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        return cls(column, hashes[order], order)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What has to be saved to have this vocabulary again."""
        return {
            "blob": self.ids.blob,
            "offsets": self.ids.offsets,
            "hashes": self._hashes,
            "order": self._order,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Vocabulary:
        return cls(TextColumn(arrays["blob"], arrays["offsets"]), arrays["hashes"], arrays["order"])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> str:
        return self.ids[index]

    def __contains__(self, identifier: str) -> bool:
        return self.find(identifier) is not None

    def find(self, identifier: str) -> int | None:
        """The row number of an id, or None when it is unknown."""
        wanted = identifier.encode("utf-8", "surrogatepass")
        hashed = hash_id(wanted)
        place = int(np.searchsorted(self._hashes, hashed))
        while place < len(self._hashes) and self._hashes[place] == hashed:
            index = int(self._order[place])
            if self.ids.raw(index) == wanted:
                return index
            place += 1
        return None

    def find_many(self, identifiers: Sequence[str]) -> IndexVector:
        """(n,) row numbers in the order asked, -1 for an unknown id."""
        found = (self.find(identifier) for identifier in identifiers)
        return np.fromiter((-1 if i is None else i for i in found), np.int32, len(identifiers))

    def texts(self, indices: Iterable[int]) -> list[str]:
        return [self.ids[int(i)] for i in indices]
