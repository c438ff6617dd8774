"""Searching an index: questions encoded in batches, passages found by the index's backend, ties by passage id."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from jmlr.errors import DataError
from jmlr.index import generation, manifest
from jmlr.index.backend import Backend
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import ExactBackend
from jmlr.index.manifest import Manifest
from jmlr.models.retriever import Retriever
from jmlr.types import Hit, Passage

QUESTIONS_PER_BATCH = 32


class Searcher:
    """Finds passages in one index with the retriever that made it.

    Args:
        folder: one generation of an index.
        retriever: that made it.
        index_manifest: of the generation.
        backend: `exact` or `plaid`; None: the one the index was built for. Every index can be searched exactly.

    Raises:
        MissingResource: if PLAID is asked for and the index is not built for it.
        DataError: if PLAID's files are broken.
    """

    def __init__(
        self, folder: Path, retriever: Retriever, index_manifest: Manifest, backend: str | None = None
    ) -> None:
        self.retriever, self.manifest = retriever, index_manifest
        self.stored = StoredEmbeddings.open(folder)
        self.backend = _open(backend or index_manifest.backend, folder, self.stored)
        ids = np.array(self.stored.passage_ids)
        self._id_order = np.empty(len(ids), dtype=np.int64)
        self._id_order[np.argsort(ids, kind="stable")] = np.arange(len(ids))

    @classmethod
    def load(
        cls,
        folder: Path,
        retriever: Retriever,
        retriever_folder: Path,
        passages: Sequence[Passage],
        backend: str | None = None,
    ) -> Searcher:
        """The searcher of the index in `folder`; `retriever` is what `retriever_folder` holds.

        Raises:
            FingerprintMismatch: if index, retriever and passages do not belong together.
            MissingResource: if there is no index, or not what its backend needs.
        """
        current = generation.current(folder)
        checked = manifest.check(current, retriever_folder, passages)
        manifest.check_lengths(checked, retriever, current)
        manifest.check_files(checked, current)
        return cls(current, retriever, checked, backend)

    def search(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """The k best passages of each text, best first, equal scores by passage id; no passage twice.

        A text gets fewer than k passages only if the index holds fewer.
        """
        hits: list[list[Hit]] = []
        for start in range(0, len(texts), QUESTIONS_PER_BATCH):
            queries = self._encode(texts[start : start + QUESTIONS_PER_BATCH])
            hits += [self._rank(pids, scores, k) for pids, scores in self.backend.best(queries, k)]
        return hits

    def _encode(self, texts: Sequence[str]) -> torch.Tensor:
        with torch.inference_mode():
            return self.retriever.encode_queries(list(texts)).float().cpu()

    def _rank(self, pids: np.ndarray, scores: np.ndarray, k: int) -> list[Hit]:
        best = np.lexsort((self._id_order[pids], -scores))[:k]
        return [Hit(self.stored.passage_ids[pids[place]], float(scores[place])) for place in best]


def _open(name: str, folder: Path, stored: StoredEmbeddings) -> Backend:
    if name == "exact":
        return ExactBackend(stored)
    from jmlr.index.plaid_search import PlaidBackend

    try:
        return PlaidBackend(folder / manifest.PLAID_FOLDER, stored)
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(
            f"PLAID's files cannot be read ({type(error).__name__})",
            expected="whole files of tensors",
            where=str(folder / manifest.PLAID_FOLDER),
            next_step=f"remove the index folder, then: {generation.REMEDY}",
        ) from error
