"""k-means on the unit sphere with many thousand centroids, each vector compared with a small part of them only."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

_FEWEST_GROUPED, _GROUPING_ITERATIONS = 1024, 5
_BLOCK_VECTORS = 1 << 17


class NearestCentroid:
    """Finds the centroid nearest to each of many vectors.

    A vector is put into one of about 2 sqrt(C) groups and compared with the 8 sqrt(C) centroids nearest to the middle
    of its group. Where it misses the nearest one (1 vector in 40) it finds another near one.

    Args:
        centroids: unit vectors, float32 (C, H).
    """

    def __init__(self, centroids: torch.Tensor) -> None:
        self.centroids, root = centroids, math.isqrt(len(centroids))
        grouped = len(centroids) >= _FEWEST_GROUPED
        self._middles = centroids[:: root // 2][: 2 * root] if grouped else centroids[:1]
        for _ in range(_GROUPING_ITERATIONS if grouped else 0):
            self._middles = _means(centroids, _most_alike(centroids, self._middles), self._middles)
        compared = 8 * root if grouped else len(centroids)
        self._compared = (self._middles @ centroids.T).topk(compared, dim=1).indices

    def of(self, vectors: torch.Tensor) -> torch.Tensor:
        """Number of the centroid of the largest dot product with each vector, float (N, H): int64 (N,)."""
        return torch.cat([self._of_block(block.float()) for block in vectors.split(_BLOCK_VECTORS)])

    def _of_block(self, vectors: torch.Tensor) -> torch.Tensor:
        group_of = _most_alike(vectors, self._middles)
        order, counts = group_of.argsort(stable=True), torch.bincount(group_of, minlength=len(self._middles))
        found = [
            compared[_most_alike(part, self.centroids.index_select(0, compared))]
            for part, compared in zip(vectors[order].split(counts.tolist()), self._compared, strict=True)
            if len(part)
        ]
        return torch.empty_like(order).scatter_(0, order, torch.cat(found))


def cluster(sample: torch.Tensor, count: int, iterations: int, seed: int) -> torch.Tensor:
    """`count` centroids, unit vectors float32 (C, H), of a sample of unit vectors, float (N, H).

    The first ones are vectors of the sample drawn by the seed; one that loses all its vectors stays where it is.
    """
    drawn = np.random.default_rng(seed).choice(len(sample), count, replace=False)
    centroids = functional.normalize(sample[torch.from_numpy(drawn)].float(), dim=1)
    for _ in range(iterations):
        centroids = _means(sample, NearestCentroid(centroids).of(sample), centroids)
    return centroids


def _most_alike(vectors: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    # NumPy's argmax takes an eighth of the time of torch's.
    return torch.from_numpy((vectors @ centroids.T).numpy().argmax(axis=1))


def _means(vectors: torch.Tensor, codes: torch.Tensor, former: torch.Tensor) -> torch.Tensor:
    """The directions of the sums of the vectors of each code; the former ones where there are none."""
    sums = torch.zeros_like(former)
    for block, numbers in zip(vectors.split(_BLOCK_VECTORS), codes.split(_BLOCK_VECTORS), strict=True):
        sums.index_add_(0, numbers, block.float())
    lost = torch.bincount(codes, minlength=len(former)) == 0
    return functional.normalize(torch.where(lost[:, None], former, sums), dim=1)
