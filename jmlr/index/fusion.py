"""Rankings fused into one: the retriever's and BM25's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from jmlr.types import Hit

RANK_OFFSET = 60
FUSED_DEPTH = 100


class PassageSearch(Protocol):
    """Whatever finds passages for texts."""

    def search(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """The k best passages of each text, best first, equal scores by passage id; no passage twice."""
        ...


def fuse(rankings: Sequence[Sequence[str]], k: int) -> list[Hit]:
    """The k best passages of several rankings together, best first, equal scores by passage id.

    A passage's score is the sum of 1 / (60 + its rank) over the rankings that hold it, ranks from 1: scores of
    different kinds are never compared, so nothing has to be scaled or tuned.

    Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009, with their constant of 60.

    Args:
        rankings: passage ids, best first; none twice in a ranking.
        k: how many are wanted.

    >>> [hit.passage_id for hit in fuse([["p3", "p1"], ["p1", "p2"]], 3)]
    ['p1', 'p3', 'p2']
    """
    parts: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, passage_id in enumerate(ranking, start=1):
            parts.setdefault(passage_id, []).append(1 / (RANK_OFFSET + rank))
    # fsum: the sum must not depend on the order of the rankings, or equal passages would not tie.
    hits = [Hit(passage_id, math.fsum(shares)) for passage_id, shares in parts.items()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.passage_id))[:k]


class Hybrid:
    """Several searches of the same passages, fused.

    Each gives its best 100, or k if that is more. A passage that two of them rank 100th still scores 2/160, above one
    that a single search ranks 21st (1/81), so a pool of 30 cannot be fused from rankings of 30; for PLAID 100 costs
    hardly more than 30, since it opens as many lists for both.

    Args:
        searches: in any order.
    """

    def __init__(self, *searches: PassageSearch) -> None:
        self._searches = searches

    def search(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """The k best passages of each text, best first, equal scores by passage id; no passage twice.

        A text gets fewer than k passages only if all searches together find fewer.
        """
        found = [search.search(texts, max(k, FUSED_DEPTH)) for search in self._searches]
        return [
            fuse([[hit.passage_id for hit in ranking] for ranking in rankings], k)
            for rankings in zip(*found, strict=True)
        ]
