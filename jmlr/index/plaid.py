"""PLAID's files, as colbert-ai lays them out: its own searcher reads them, and they are written without it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jmlr.files import write_json, write_text
from jmlr.index.backend import count_partitions
from jmlr.index.centroids import NearestCentroid, cluster
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.plaid_search import CENTROIDS_FILE, LISTS_FILE, METADATA_FILE
from jmlr.settings import IndexSettings

_CHUNK_PASSAGES = 8192
_SAMPLED_PER_PARTITION = 64
_HELD_OUT_FRACTION, _MAX_HELD_OUT = 0.05, 10_000


@dataclass(frozen=True)
class Buckets:
    """How a number of a residual becomes a few bits.

    Attributes:
        cutoffs: between buckets, float32 (2^bits - 1,).
        weights: what each bucket stands for, float32 (2^bits,).
        mean_residual: mean absolute number of a residual, float32, no dimension.
    """

    cutoffs: torch.Tensor
    weights: torch.Tensor
    mean_residual: torch.Tensor

    @classmethod
    def of(cls, residuals: torch.Tensor, bits: int) -> Buckets:
        """Buckets that hold equally many of these numbers each, float32 (N, H)."""
        quantiles = torch.arange(2**bits) / 2**bits
        cutoffs, weights = residuals.quantile(quantiles[1:]), residuals.quantile(quantiles + 0.5 / 2**bits)
        return cls(cutoffs, weights, residuals.abs().mean(dim=0).mean())

    def pack(self, residuals: torch.Tensor) -> torch.Tensor:
        """Bucket numbers of residuals, float (N, H), their bits reversed, 8 / bits of them a byte: uint8."""
        bits = (len(self.cutoffs) + 1).bit_length() - 1
        reversed_bits = torch.tensor([_reversed(number, bits) for number in range(2**bits)], dtype=torch.uint8)
        buckets = reversed_bits[torch.bucketize(residuals, self.cutoffs, out_int32=True)]
        packed = torch.zeros(len(buckets), residuals.shape[1] * bits // 8, dtype=torch.uint8)
        for place in range(0, 8, bits):
            packed = (packed << bits) | buckets[:, place // bits :: 8 // bits]
        return packed


@torch.inference_mode()
def write(stored: StoredEmbeddings, settings: IndexSettings, folder: Path, seed: int) -> None:
    """Writes PLAID's files of the stored embeddings into `folder`, the same bytes for one seed.

    Source: arXiv 2205.09707, section 4.1, in the layout of colbert-ai's CollectionIndexer.

    Args:
        stored: all embeddings.
        settings: bits a dimension, k-means iterations, lengths in retriever tokens.
        folder: empty.
        seed: draws the k-means sample and first centroids.
    """
    count, passages = len(stored.vectors), len(stored.passage_ids)
    partitions = count_partitions(count)
    held_out = max(1, min(int(_HELD_OUT_FRACTION * count), _MAX_HELD_OUT))
    drawn = np.random.default_rng(seed).permutation(count)[: _SAMPLED_PER_PARTITION * partitions + held_out]
    sample = torch.from_numpy(np.asarray(stored.vectors[drawn]))
    exact = cluster(sample[held_out:], partitions, settings.kmeans_iterations, seed)
    sample = sample[:held_out]
    buckets = Buckets.of(sample - exact[NearestCentroid(exact).of(sample)], settings.bits)
    centroids = exact.half()
    torch.save(centroids, folder / CENTROIDS_FILE)
    torch.save((buckets.cutoffs, buckets.weights), folder / "buckets.pt")
    torch.save(buckets.mean_residual, folder / "avg_residual.pt")
    codes = _write_chunks(stored, centroids.float(), buckets, folder)
    torch.save(_lists(codes, stored.tokens.lengths, partitions), folder / LISTS_FILE)
    config = {"dim": stored.vectors.shape[1], "nbits": settings.bits, "kmeans_niters": settings.kmeans_iterations}
    metadata = {
        "config": {**config, "query_maxlen": settings.query_tokens, "doc_maxlen": settings.passage_tokens},
        "num_chunks": math.ceil(passages / _CHUNK_PASSAGES),
        "num_partitions": partitions,
        "num_embeddings": count,
        "avg_doclen": count / passages,
    }
    write_json(folder / METADATA_FILE, metadata, sort_keys=True)


def _write_chunks(stored: StoredEmbeddings, centroids: torch.Tensor, buckets: Buckets, folder: Path) -> torch.Tensor:
    """Writes codes, residuals and lengths, some thousand passages a file; returns all codes, int32 (E,)."""
    nearest, offsets, codes = NearestCentroid(centroids), stored.offsets, []
    for number, first in enumerate(range(0, len(stored.passage_ids), _CHUNK_PASSAGES)):
        lengths = stored.lengths[first : first + _CHUNK_PASSAGES].tolist()
        start, end = int(offsets[first]), int(offsets[first + len(lengths)])
        vectors = stored.tokens.vectors[start:end]
        of_chunk = nearest.of(vectors)
        codes.append(of_chunk.int())
        torch.save(codes[-1], folder / f"{number}.codes.pt")
        torch.save(buckets.pack(vectors - centroids[of_chunk]), folder / f"{number}.residuals.pt")
        write_text(folder / f"doclens.{number}.json", json.dumps(lengths, separators=(",", ":")))
        sizes = {"passage_offset": first, "num_passages": len(lengths)}
        sizes |= {"num_embeddings": end - start, "embedding_offset": start}
        write_text(folder / f"{number}.metadata.json", json.dumps(sizes, indent=4) + "\n")
    return torch.cat(codes)


def _lists(codes: torch.Tensor, lengths: torch.Tensor, partitions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The passages of each centroid one list after another, int32 (L,), and how many each has, int64 (C,).

    colbert-ai reads as many from the last list as the longest has, so zeros may follow.

    >>> _lists(torch.tensor([1, 0, 1, 1]), torch.tensor([2, 2]), 2)
    (tensor([0, 0, 1], dtype=torch.int32), tensor([1, 2]))
    """
    pairs = torch.unique(codes.long() * len(lengths) + torch.repeat_interleave(lengths))
    pids, counts = (pairs % len(lengths)).int(), torch.bincount(pairs // len(lengths), minlength=partitions)
    longest = int(counts.max())
    padding = torch.zeros(longest if int(counts[-1]) < longest else 0, dtype=torch.int32)
    return torch.cat((pids, padding)), counts


def _reversed(number: int, bits: int) -> int:
    """The number whose bits are those of `number` in the other order.

    >>> _reversed(1, 4), _reversed(6, 4)
    (8, 6)
    """
    return int(f"{number:0{bits}b}"[::-1], 2)
