"""The ids of a table in 8 bytes each, to find repeated and unknown ids in tables larger than memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import xxhash


def _hashes(ids: Iterable[str]) -> np.ndarray:
    return np.fromiter((xxhash.xxh3_64_intdigest(row_id.encode()) for row_id in ids), dtype=np.uint64)


class Identities:
    """The ids of a table as 64-bit hashes; two of ten million ids share one by chance with odds of 3 in a million.

    >>> known = Identities([["p1", "p2"], ["p1"]])
    >>> len(known), known.rows_of(["p1", "p2"]), known.missing(["p1", "p9"])
    (3, [2, 1], ['p9'])
    """

    def __init__(self, batches: Iterable[Sequence[str]] = ()) -> None:
        self._added = array("Q")
        self._distinct: np.ndarray | None = None
        for ids in batches:
            self.add(ids)

    def __len__(self) -> int:
        return len(self._added)

    def add(self, ids: Sequence[str]) -> None:
        """Takes the ids of a batch of rows, repeated ones too."""
        self._added.frombytes(_hashes(ids).tobytes())
        self._distinct = None

    def _counted(self) -> np.ndarray:
        """The distinct hashes, sorted; those of several rows and their numbers of rows are kept beside."""
        if self._distinct is None:
            hashes = np.frombuffer(self._added, dtype=np.uint64) if self._added else np.empty(0, np.uint64)
            self._distinct, counts = np.unique(hashes, return_counts=True)
            several = counts > 1
            self._rows_of_repeated = dict(zip(self._distinct[several].tolist(), counts[several].tolist(), strict=True))
        return self._distinct

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """In how many rows each of these ids is; they must have been added."""
        self._counted()
        if not self._rows_of_repeated:
            return [1] * len(ids)
        return [self._rows_of_repeated.get(number, 1) for number in _hashes(ids).tolist()]

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of these ids that were never added, in their order."""
        if not ids:
            return []
        distinct, wanted = self._counted(), _hashes(ids)
        places = np.searchsorted(distinct, wanted)
        found = [
            place < len(distinct) and distinct[place] == number for place, number in zip(places, wanted, strict=True)
        ]
        return [row_id for row_id, known in zip(ids, found, strict=True) if not known]
