"""The nearest of many centroids: exact where few, nearly so where many; k-means the same for one seed."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from jmlr.index.centroids import NearestCentroid, cluster

pytestmark = pytest.mark.numerical


def directions(count: int, seed: int, dimension: int = 16) -> torch.Tensor:
    drawn = torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn, dim=1)


def brute_force(vectors: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    return (vectors @ centroids.T).argmax(dim=1)


@pytest.mark.parametrize("count", [1, 2, 37, 1023])
def test_few_centroids_are_all_compared(count):
    centroids, vectors = directions(count, 1), directions(500, 2)
    assert torch.equal(NearestCentroid(centroids).of(vectors), brute_force(vectors, centroids))


@pytest.mark.parametrize("count", [1024, 1500, 4096])
def test_of_many_centroids_nearly_always_the_nearest_is_found(count):
    centroids, vectors = directions(count, 1), directions(3000, 2)
    nearest = NearestCentroid(centroids)
    found, right = nearest.of(vectors.half()), brute_force(vectors.half().float(), centroids)
    assert nearest._index.nprobe < nearest._index.nlist / 2
    assert (found == right).float().mean() > 0.9
    lost = (vectors * (centroids[right] - centroids[found])).sum(dim=1)
    assert lost.min() > -1e-3
    assert lost.max() < 0.3


def test_clusters_that_lie_apart_are_found():
    middles = torch.eye(16)[:6]
    vectors = functional.normalize(middles.repeat_interleave(50, dim=0) + 0.05 * directions(300, 3), dim=1)
    centroids = cluster(vectors, 24, iterations=5, seed=4)
    assert torch.allclose(centroids.norm(dim=1), torch.ones(24), atol=1e-5)
    assert torch.equal((centroids @ middles.T).amax(dim=0) > 0.99, torch.ones(6, dtype=torch.bool))


def test_k_means_brings_centroids_nearer():
    vectors = directions(2000, 5)
    likeness = [(vectors @ cluster(vectors, 50, n, seed=1).T).amax(dim=1).mean() for n in (1, 2, 6)]
    assert likeness[0] < likeness[1] < likeness[2]


def test_the_seed_decides():
    vectors = directions(400, 6).half()
    first, again, other = (cluster(vectors, 20, 3, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_centroids_than_different_vectors_are_no_fault():
    vectors = directions(1, 7).repeat(9, 1)
    assert torch.allclose(cluster(vectors, 4, 2, seed=0), vectors[:4], atol=1e-2)
