"""k-means on the unit sphere with many thousand centroids, by faiss."""

from __future__ import annotations

import math

import faiss
import torch

_FEWEST_GROUPED, _GROUPS_COMPARED, _GROUPING_ITERATIONS = 1024, 16, 5


class NearestCentroid:
    """Finds the centroid nearest to each of many vectors.

    Many centroids are put into 2 sqrt(C) groups, and a vector is compared with those of the 16 groups nearest to it.
    Where it misses the nearest centroid (1 vector in 100) it finds another near one.

    Args:
        centroids: unit vectors, float (C, H).
    """

    def __init__(self, centroids: torch.Tensor) -> None:
        self._index = _index(*centroids.shape)
        own = centroids.float().numpy()
        self._index.train(own)
        self._index.add(own)

    def of(self, vectors: torch.Tensor) -> torch.Tensor:
        """Number of the centroid of the largest dot product with each vector, float (N, H): int64 (N,)."""
        return torch.from_numpy(self._index.search(vectors.float().numpy(), 1)[1][:, 0])


def cluster(sample: torch.Tensor, count: int, iterations: int, seed: int) -> torch.Tensor:
    """`count` centroids, unit vectors float32 (C, H), of a sample of unit vectors, float (N, H)."""
    clustering = faiss.Clustering(sample.shape[1], count)
    clustering.niter, clustering.seed, clustering.spherical, clustering.update_index = iterations, seed, True, True
    clustering.min_points_per_centroid, clustering.max_points_per_centroid = 1, len(sample)
    clustering.train(sample.float().numpy(), _index(count, sample.shape[1]))
    return torch.from_numpy(faiss.vector_to_array(clustering.centroids).reshape(count, -1))


def _index(count: int, dimension: int) -> faiss.Index:
    if count < _FEWEST_GROUPED:
        return faiss.IndexFlatIP(dimension)
    index = faiss.index_factory(dimension, f"IVF{2 * math.isqrt(count)},Flat", faiss.METRIC_INNER_PRODUCT)
    index.nprobe, index.cp.niter, index.cp.min_points_per_centroid = _GROUPS_COMPARED, _GROUPING_ITERATIONS, 1
    return index
