"""What every search backend can do, whichever data structure it keeps."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch

Found = tuple[np.ndarray, np.ndarray]
"""Passage numbers, int64 (n,), each once, in no order; and their MaxSim with the question, float32 (n,)."""

EXACT_UP_TO_PASSAGES = 5000


class Backend(Protocol):
    """Finds the passages nearest to encoded questions in one index."""

    def best(self, queries: torch.Tensor, k: int) -> list[Found]:
        """At least the k best passages of each query, float32 (B, Q, H); fewer only if the index holds fewer."""
        ...


def choose(name: str, passage_count: int) -> str:
    """The backend that settings name, or that suits the size.

    Up to EXACT_UP_TO_PASSAGES an exact search costs little more than PLAID's and misses nothing.

    >>> choose("auto", 750), choose("auto", 30_000), choose("exact", 30_000)
    ('exact', 'plaid', 'exact')
    """
    if name != "auto":
        return name
    return "exact" if passage_count <= EXACT_UP_TO_PASSAGES else "plaid"


def count_partitions(embeddings: int) -> int:
    """Number of PLAID centroids: the power of two at or below 16 sqrt(embeddings), and below their number.

    Source: colbert-ai, CollectionIndexer.setup; the second bound is ours, for collections of a few passages.

    >>> count_partitions(40_000), count_partitions(9)
    (2048, 4)
    """
    wanted = min(16 * math.sqrt(embeddings), max(1, embeddings // 2))
    return int(2 ** math.floor(math.log2(wanted)))


def plaid_bytes(embeddings: int, dimension: int, bits: int) -> int:
    """About how large PLAID's files become: codes and residuals, inverted lists, centroids.

    >>> plaid_bytes(1_000_000, 128, 2)
    48194304
    """
    return embeddings * (4 + dimension * bits // 8 + 8) + 4 * dimension * count_partitions(embeddings)
