"""Runs of words as numbers, by which texts are compared: triples for likeness, longer ones for what is copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import xxhash
from datasketch import MinHash

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
SHINGLE_WORDS = 3
PERMUTATIONS, BANDS = 128, 16
_KNOWN_WORDS = 500_000
_MATCH_BY_CHANCE = 1 / 256
"""Two bytes of signatures that differ are equal so often."""


class _Numbers(dict[str, int]):
    """A number for each word met lately."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN_WORDS:
            self.clear()
        self[word] = number = xxhash.xxh3_64_intdigest(word.encode())
        return number


_NUMBERS = _Numbers()


def runs(texts: Sequence[Sequence[str]], length: int) -> list[np.ndarray]:
    """A number for each run of `length` words of each text, uint64, equal for equal runs.

    Args:
        texts: each as its words. One with fewer words than `length` is one run, one without words none.
        length: words of a run, 1 or more.

    >>> first, second = runs([["a", "b", "c"], ["b", "c"]], 2)
    >>> len(first), bool(first[1] == second[0])
    (2, True)
    """
    if not any(texts):
        return [np.empty(0, np.uint64) for _ in texts]
    hashes = np.fromiter(map(_NUMBERS.__getitem__, chain.from_iterable(texts)), np.uint64)
    ends = np.cumsum([len(words) for words in texts])
    found = []
    with np.errstate(over="ignore"):
        rolled = _rolled(hashes, length)
        for end, words in zip(ends, texts, strict=True):
            start, count = end - len(words), len(words) - length + 1
            whole = count > 0 or not words
            found.append(rolled[start : start + max(count, 0)] if whole else _rolled(hashes[start:end], len(words)))
    return found


def _rolled(hashes: np.ndarray, length: int) -> np.ndarray:
    """At each place the number of the run of `length` that starts there; fewer places than hashes."""
    places = len(hashes) - length + 1
    rolled = np.zeros(max(places, 0), np.uint64)
    for offset in range(length if places > 0 else 0):
        rolled = (rolled ^ hashes[offset : offset + places]) * _FACTOR
    return rolled


def signatures(texts: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """MinHash signatures by which the Jaccard likeness of the texts' word triples is estimated.

    Args:
        texts: N texts, each as its words.

    Returns:
        uint64 (N, BANDS): texts equal in one band are to be compared; two with nine tenths of their triples in common
            meet in a band with probability 0.9999, with eight tenths 0.95, with half 0.06.
        uint8 (N, PERMUTATIONS): what `likeness` compares.

    Source: Broder 1997; the banding of Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4.
    Deviation: of each minimum one byte is kept (b-bit minwise hashing, arXiv 0910.3349).
    """
    # Upper bits: those that the last multiplication mixed best.
    shingles = [(run >> np.uint64(32)).tolist() for run in runs(texts, SHINGLE_WORDS)]
    made = MinHash.generator(shingles, num_perm=PERMUTATIONS, hashfunc=int)
    minima = np.array([sketch.hashvalues for sketch in made], np.uint64).reshape(-1, PERMUTATIONS)
    bands = np.zeros((len(texts), BANDS), np.uint64)
    with np.errstate(over="ignore"):
        for part in minima.reshape(-1, BANDS, PERMUTATIONS // BANDS).transpose(2, 0, 1):
            bands = (bands ^ part) * _FACTOR
            bands ^= bands >> np.uint64(29)
    return bands, (minima & np.uint64(0xFF)).astype(np.uint8)


def likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Estimated Jaccard likeness (0 to 1, standard error at most 0.05) of texts by their signatures, float64 (N,).

    Args:
        first: uint8 (N, PERMUTATIONS).
        second: the same.
    """
    equal = (first == second).mean(axis=1)
    return np.clip((equal - _MATCH_BY_CHANCE) / (1 - _MATCH_BY_CHANCE), 0, 1)
