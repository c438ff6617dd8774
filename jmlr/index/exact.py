"""Exact MaxSim with every stored embedding."""

from __future__ import annotations

import numpy as np
import torch

from jmlr.index.backend import Found
from jmlr.index.embeddings import StoredEmbeddings

_BLOCK_EMBEDDINGS = 16_384


class ExactBackend:
    """Scores every passage of the memory-mapped store, a block at a time for all queries of a batch."""

    def __init__(self, stored: StoredEmbeddings) -> None:
        self.stored = stored

    def best(self, queries: torch.Tensor, k: int) -> list[Found]:
        """The k best passages of each query (B, Q, H) and all that score as the last of them does."""
        found = []
        for row in self.score_all(queries).numpy():
            if k < len(row):
                pids = np.flatnonzero(row >= np.partition(row, len(row) - k)[len(row) - k])
            else:
                pids = np.arange(len(row))
            found.append((pids, row[pids]))
        return found

    def score_all(self, queries: torch.Tensor) -> torch.Tensor:
        """MaxSim of queries, float32 (B, Q, H), with all N passages: float32 (B, N), in [-Q, Q].

        Source: arXiv 2004.12832, Eq. 3; the same values as jmlr.models.maxsim without padding the passages.
        """
        flat = queries.flatten(0, 1).T
        scores, first, offsets = [], 0, self.stored.offsets
        while first < len(offsets) - 1:
            room = np.searchsorted(offsets, offsets[first] + _BLOCK_EMBEDDINGS, side="right") - 1
            last = max(first + 1, int(room))
            block = np.array(self.stored.vectors[offsets[first] : offsets[last]])
            best = best_a_passage(block, np.diff(offsets[first : last + 1]), flat)
            scores.append(best.view(last - first, *queries.shape[:2]).sum(dim=2).T)
            first = last
        return torch.cat(scores, dim=1)


def best_a_passage(rows: np.ndarray, lengths: np.ndarray, queries: torch.Tensor) -> torch.Tensor:
    """Best dot product of every query vector, a column of (H, C), with each of N passages: float32 (N, C).

    `rows`, float16 (sum of `lengths`, H), holds the passages' embeddings one after another.
    """
    similarity = torch.from_numpy(rows).float() @ queries
    return torch.segment_reduce(similarity, "max", lengths=torch.from_numpy(lengths), axis=0)
