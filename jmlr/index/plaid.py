"""colbert-ai's PLAID indexer, fed with embeddings that are already there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import faiss
import numpy as np
import torch
from colbert.data.collection import Collection
from colbert.indexing.collection_indexer import CollectionIndexer
from colbert.indexing.index_saver import IndexSaver
from colbert.infra.config import ColBERTConfig

from jmlr.files import write_json
from jmlr.index.embeddings import StoredEmbeddings

METADATA_FILE, PLAN_FILE = "metadata.json", "plan.json"

_CHUNK_PASSAGES = 8192
_SAMPLED_PER_PARTITION = 64
_HELD_OUT_FRACTION, _MAX_HELD_OUT = 0.05, 50_000


def count_partitions(embeddings: int) -> int:
    """Number of PLAID centroids: the power of two at or below 16 sqrt(embeddings), and below their number.

    Source: colbert-ai, CollectionIndexer.setup; the second bound is ours, for collections of a few passages.

    >>> count_partitions(40_000), count_partitions(9)
    (2048, 4)
    """
    wanted = min(16 * math.sqrt(embeddings), max(1, embeddings // 2))
    return int(2 ** math.floor(math.log2(wanted)))


class PlaidIndexer(CollectionIndexer):
    """Writes PLAID's files from stored embeddings: one process, no second encoding, the same files for one seed.

    Sampling, k-means and the plan are overridden; codec, compression, chunks and inverted lists are colbert-ai's.
    """

    def __init__(self, config: ColBERTConfig, stored: StoredEmbeddings, seed: int) -> None:
        self.config, self.stored, self.seed = config, stored, seed
        self.verbose, self.rank, self.nranks, self.use_gpu = 0, 0, 1, False
        self.collection = _PassageNumbers(len(stored.passage_ids))
        self.encoder = _Lookup(stored)
        self.saver = IndexSaver(config)

    def run(self, shared_lists: object = None) -> None:
        """Writes the index into config.index_path.

        Without colbert-ai's barriers, which ask for a GPU when WORLD_SIZE is set; one process alone calls this.
        """
        with torch.inference_mode():
            self.setup()
            self.train(shared_lists)
            self.index()
            self.finalize()
        _make_relocatable(Path(self.config.index_path))

    def setup(self) -> None:
        """Plans chunks and partitions; all lengths are known, so nothing is estimated."""
        self.num_chunks = math.ceil(len(self.collection) / self.collection.get_chunksize())
        self.num_embeddings_est = int(self.stored.offsets[-1])
        self.avg_doclen_est = self.num_embeddings_est / len(self.collection)
        self.num_partitions = count_partitions(self.num_embeddings_est)
        self._save_plan()

    def _concatenate_and_split_sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        total = self.num_embeddings_est
        held_out = max(1, min(int(_HELD_OUT_FRACTION * total), _MAX_HELD_OUT))
        wanted = min(total, _SAMPLED_PER_PARTITION * self.num_partitions + held_out)
        drawn = np.random.default_rng(self.seed).permutation(total)[:wanted]
        vectors = torch.from_numpy(np.asarray(self.stored.vectors[drawn]))
        return vectors[held_out:], vectors[:held_out]

    def _train_kmeans(self, sample: torch.Tensor, shared_lists: object) -> torch.Tensor:
        kmeans = faiss.Kmeans(
            self.config.dim,
            self.num_partitions,
            niter=self.config.kmeans_niters,
            seed=self.seed % 2**31,
            gpu=False,
            min_points_per_centroid=1,
            max_points_per_centroid=len(sample),
        )
        kmeans.train(sample.float().numpy())
        return torch.nn.functional.normalize(torch.from_numpy(kmeans.centroids), dim=-1)


class _PassageNumbers(Collection):
    """A collection whose passages are their own numbers, in chunks of bounded memory."""

    def __init__(self, count: int) -> None:
        self.path, self.data = None, range(count)

    def get_chunksize(self) -> int:
        return _CHUNK_PASSAGES


class _Lookup:
    """Stands where colbert-ai has its encoder."""

    def __init__(self, stored: StoredEmbeddings) -> None:
        self.stored = stored

    def encode_passages(self, pids: list[int]) -> tuple[torch.Tensor, list[int]]:
        vectors = torch.from_numpy(self.stored.rows(pids)).float()
        return vectors, self.stored.lengths[pids].tolist()


def _make_relocatable(folder: Path) -> None:
    """Drops the paths, the user's folders and the time that colbert-ai writes into metadata.json and plan.json."""
    path = folder / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8"))
    kept = ("dim", "nbits", "kmeans_niters", "query_maxlen", "doc_maxlen")
    metadata["config"] = {name: metadata["config"][name] for name in kept}
    write_json(path, metadata, sort_keys=True)
    (folder / PLAN_FILE).unlink()
