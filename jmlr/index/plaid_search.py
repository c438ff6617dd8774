"""PLAID search through colbert-ai's scorer, its best passages scored again with the stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from jmlr.index.backend import Found
from jmlr.index.compile import ensure_extensions
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import best_a_passage
from jmlr.index.quiet import quiet_cpu

if TYPE_CHECKING:
    from colbert.infra.config import ColBERTConfig

_RESCORED_PER_HIT = 3


class PlaidBackend:
    """Candidates by PLAID, scores by the stored embeddings.

    The best 3 k that PLAID finds are scored again, so a score is the MaxSim that an exact search gives, and the two
    differ only by passages that PLAID misses.

    Source: arXiv 2205.09707, with one deviation: the final scores are not those of the compressed embeddings, whose
    error reorders passages that are near alike.

    Args:
        folder: PLAID's files, as jmlr.index.plaid wrote them.
        stored: the embeddings they were made of.

    Raises:
        MissingResource: if colbert-ai's extensions cannot be compiled.
    """

    def __init__(self, folder: Path, stored: StoredEmbeddings) -> None:
        self.stored = stored
        ensure_extensions()
        with quiet_cpu():
            from colbert.search.index_storage import IndexScorer

            self._scorer = IndexScorer(str(folder), use_gpu=False)

    def best(self, queries: torch.Tensor, k: int) -> list[Found]:
        """At least the k best passages that PLAID finds for each query (B, Q, H); the search is widened until so."""
        found = []
        for query in queries:
            pids = self._probe(query[None], k)[: _RESCORED_PER_HIT * k]
            found.append((pids, self._rescore(query, pids)))
        return found

    def _probe(self, query: torch.Tensor, k: int) -> np.ndarray:
        """Numbers of PLAID's best passages for one query (1, Q, H): at least k, if the index has them."""
        partitions, wanted = len(self._scorer.codec.centroids), min(k, len(self.stored.passage_ids))
        cells = min(_cells(k), partitions)
        while True:
            pids, _ = self._scorer.rank(_search_config(query.shape[1], k, cells), query)
            if len(pids) >= wanted or cells == partitions:
                return np.array(pids, dtype=np.int64)
            cells = min(2 * cells, partitions)

    def _rescore(self, query: torch.Tensor, pids: np.ndarray) -> np.ndarray:
        """MaxSim of one query (Q, H) with some passages, from the stored embeddings."""
        return best_a_passage(self.stored.rows(pids), self.stored.lengths[pids], query.T).sum(dim=1).numpy()


def _cells(k: int) -> int:
    """Centroids probed a query token, as colbert-ai's Searcher chooses them.

    >>> _cells(10), _cells(30), _cells(1000)
    (1, 2, 4)
    """
    return 1 if k <= 10 else 2 if k <= 100 else 4


def _search_config(query_tokens: int, k: int, cells: int) -> ColBERTConfig:
    """colbert-ai's own thresholds for k, set for each call: its Searcher keeps those of the first call for ever."""
    from colbert.infra.config import ColBERTConfig

    threshold, documents = (0.5, 256) if k <= 10 else (0.45, 1024) if k <= 100 else (0.4, max(4 * k, 4096))
    config = ColBERTConfig(query_maxlen=query_tokens, ncells=cells, centroid_score_threshold=threshold, ndocs=documents)
    config.total_visible_gpus = 0
    return config
