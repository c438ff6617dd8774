"""PLAID search in PLAID's files: passages near the query by their centroids, scored with the stored embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from jmlr.errors import MissingResource
from jmlr.index.backend import Found
from jmlr.index.embeddings import StoredEmbeddings, ranges
from jmlr.index.exact import largest_a_passage

CENTROIDS_FILE, LISTS_FILE, METADATA_FILE = "centroids.pt", "ivf.pid.pt", "metadata.json"


@dataclass(frozen=True)
class Width:
    """How widely is searched.

    Attributes:
        cells: lists of passages that are opened for each query token.
        threshold: a centroid less like all query tokens than this does not count in the first sifting.
        documents: passages that pass the first sifting; a quarter of them passes the second and is scored.
    """

    cells: int
    threshold: float
    documents: int

    @classmethod
    def for_k(cls, k: int) -> Width:
        """Up to k = 100 wider than colbert-ai searches by default, at less cost, for nothing is decompressed.

        >>> Width.for_k(10), Width.for_k(30)
        (Width(cells=2, threshold=0.5, documents=512), Width(cells=4, threshold=0.5, documents=1536))
        """
        if k <= 10:
            return cls(2, 0.5, 512)
        return cls(4, 0.5, 1536) if k <= 100 else cls(4, 0.4, max(4 * k, 4096))


class PlaidBackend:
    """Candidates by PLAID, scores by the stored embeddings.

    A score is the MaxSim that an exact search gives, and the two differ only by passages that PLAID misses.

    Source: arXiv 2205.09707, sections 4.2 to 4.4, with one deviation: the last scores are not those of the compressed
    embeddings, whose error reorders passages that are near alike; so the residuals are not even read.

    Args:
        folder: PLAID's files, as jmlr.index.plaid wrote them.
        stored: the embeddings they were made of.

    Raises:
        MissingResource: if there are no such files.
    """

    def __init__(self, folder: Path, stored: StoredEmbeddings) -> None:
        if not (folder / METADATA_FILE).exists():
            raise MissingResource(
                "the index is not built for PLAID",
                expected=METADATA_FILE,
                where=str(folder),
                next_step="set index.backend to plaid in params.yaml, then dvc repro; or search it exactly",
            )
        self.tokens = stored.tokens
        self._centroids = _load(folder / CENTROIDS_FILE).float()
        chunks = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))["num_chunks"]
        self._codes = torch.cat([_load(folder / f"{number}.codes.pt") for number in range(chunks)])
        self._lists, self._list_lengths = _load(folder / LISTS_FILE)
        self._list_offsets = self._list_lengths.cumsum(0) - self._list_lengths

    def best(self, queries: torch.Tensor, k: int) -> list[Found]:
        """At least the k best passages that PLAID finds for each query (B, Q, H); the search is widened until so."""
        with torch.inference_mode():
            return [self._best_of(query, k) for query in queries]

    def _best_of(self, query: torch.Tensor, k: int) -> Found:
        likeness, width = self._centroids @ query.T, Width.for_k(k)
        pids = self._sift(self._candidates(likeness, width.cells, k), likeness, width)
        vectors = self.tokens.vectors.index_select(0, self.tokens.rows(pids)).float()
        scores = largest_a_passage(vectors @ query.T, self.tokens.lengths[pids]).sum(dim=1)
        return pids.numpy(), scores.numpy()

    def _candidates(self, likeness: torch.Tensor, cells: int, k: int) -> torch.Tensor:
        """Passages in the lists of the centroids most like each query token: at least k, if the index has them."""
        wanted, of_tokens = min(k, len(self.tokens.lengths)), likeness.T.contiguous()
        while True:
            cells = min(cells, len(likeness))
            opened = of_tokens.topk(cells, dim=1, sorted=False).indices.unique()
            places = ranges(self._list_offsets[opened], self._list_lengths[opened])
            pids = self._lists[places].unique().long()
            if len(pids) >= wanted or cells == len(likeness):
                return pids
            cells *= 2

    def _sift(self, pids: torch.Tensor, likeness: torch.Tensor, width: Width) -> torch.Tensor:
        """The passages whose centroids are most like the query, (C, Q): first by the near centroids, then by all."""
        if len(pids) > width.documents:
            codes, lengths = self._codes.index_select(0, self.tokens.rows(pids)), self.tokens.lengths[pids]
            near = (likeness.amax(dim=1) >= width.threshold).index_select(0, codes).nonzero().flatten()
            near_lengths = torch.bincount(torch.repeat_interleave(lengths).index_select(0, near), minlength=len(pids))
            pids = pids[_most_alike(likeness, codes.index_select(0, near), near_lengths, width.documents)]
        if len(pids) > width.documents // 4:
            codes = self._codes.index_select(0, self.tokens.rows(pids))
            pids = pids[_most_alike(likeness, codes, self.tokens.lengths[pids], width.documents // 4)]
        return pids


def _most_alike(likeness: torch.Tensor, codes: torch.Tensor, lengths: torch.Tensor, count: int) -> torch.Tensor:
    """Places of the `count` passages of the largest MaxSim between the query and their centroids.

    Args:
        likeness: of each centroid and query token, float32 (C, Q).
        codes: the passages' centroids, int (E,).
        lengths: codes a passage, int64 (N,).
        count: below N.
    """
    # index_select takes a sixth of the time of likeness[codes].
    scores = largest_a_passage(likeness.index_select(0, codes), lengths).sum(dim=1)
    return scores.topk(count, sorted=False).indices


def _load(file: Path) -> torch.Tensor:
    return torch.load(file, map_location="cpu", weights_only=True)
