"""The searches that benchmarks/index.py compares: what builds each from stored embeddings, and what searches it."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from index_corpus import SETTINGS
from quiet import quiet_cpu

from jmlr.index import plaid
from jmlr.index.backend import Backend
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import ExactBackend
from jmlr.index.plaid_search import PlaidBackend

Search = Callable[[torch.Tensor, int], list[int]]
"""The numbers of the k best passages of one query, float32 (Q, H), best first."""

EXACT, PLAID, COLBERT, COLBERT_OUR_BITS = "exact", "plaid", "colbert-ai", f"colbert-ai, {SETTINGS.bits} bits"
ARMS = (EXACT, PLAID, COLBERT, COLBERT_OUR_BITS)


def build(arm: str, stored: StoredEmbeddings, folder: Path, seed: int) -> None:
    """Writes the arm's own files into the empty folder."""
    if arm == PLAID:
        plaid.write(stored, SETTINGS, folder, seed)
    elif arm != EXACT:
        build_by_colbert(stored, folder, SETTINGS.bits if arm == COLBERT_OUR_BITS else None, seed)


def build_by_colbert(stored: StoredEmbeddings, folder: Path, bits: int | None, seed: int) -> None:
    """colbert-ai's CollectionIndexer in one process on CPU, all settings its own but the bits, if they are given.

    Only its encoder is replaced: it looks up the stored embeddings, so no encoding is counted.
    """
    with quiet_cpu():
        from colbert.data.collection import Collection
        from colbert.indexing.collection_indexer import CollectionIndexer
        from colbert.indexing.index_saver import IndexSaver
        from colbert.infra.config import ColBERTConfig

        class Indexer(CollectionIndexer):
            def __init__(self, config: ColBERTConfig) -> None:
                self.config, self.verbose, self.rank, self.nranks, self.use_gpu = config, 0, 0, 1, False
                self.collection = Collection(data=range(len(stored.passage_ids)))
                self.encoder, self.saver = Lookup(stored), IndexSaver(config)

        random.seed(seed)  # colbert-ai draws its sample from these
        torch.manual_seed(seed)
        config = ColBERTConfig(index_path=str(folder), **({"nbits": bits} if bits else {}))
        Indexer(config).run([])


class Lookup:
    """Stands where colbert-ai has its encoder."""

    def __init__(self, stored: StoredEmbeddings) -> None:
        self.stored = stored

    def encode_passages(self, pids: list[int]) -> tuple[torch.Tensor, list[int]]:
        tokens = self.stored.tokens
        return tokens.vectors[tokens.rows(torch.tensor(pids))].float(), self.stored.lengths[pids].tolist()


def searcher(arm: str, stored: StoredEmbeddings, folder: Path) -> Search:
    """What searches the arm's files."""
    if arm == EXACT:
        return _of_backend(ExactBackend(stored))
    if arm == PLAID:
        return _of_backend(PlaidBackend(folder, stored))
    return _of_colbert(folder)


def _of_backend(backend: Backend) -> Search:
    def search(query: torch.Tensor, k: int) -> list[int]:
        pids, scores = backend.best(query[None], k)[0]
        return [int(pid) for pid in pids[np.argsort(-scores, kind="stable")[:k]]]

    return search


def _of_colbert(folder: Path) -> Search:
    """colbert-ai's Searcher.dense_search without its checkpoint; it chooses cells, threshold and documents by k."""
    # Its extensions are compiled at their first use, with ninja, which lies beside the interpreter.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with quiet_cpu():
        from colbert.infra.config import ColBERTConfig
        from colbert.modeling.colbert import ColBERT
        from colbert.search.index_storage import IndexScorer
        from colbert.searcher import Searcher

        ColBERT.try_load_torch_extensions(False)  # as its Checkpoint does
        scorer = IndexScorer(str(folder), use_gpu=False)

    def search(query: torch.Tensor, k: int) -> list[int]:
        asked = Searcher.__new__(Searcher)  # a new one each time: it keeps the settings of its first k for ever
        asked.config, asked.ranker = ColBERTConfig(query_maxlen=len(query)), scorer
        asked.config.total_visible_gpus = 0
        return list(Searcher.dense_search(asked, query[None], k)[0])

    return search
