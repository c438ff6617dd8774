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

from jmlr.config import IndexSettings
from jmlr.files import write_json
from jmlr.index.backend import count_partitions
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.quiet import quiet_cpu

METADATA_FILE, PLAN_FILE, CENTROIDS_FILE = "metadata.json", "plan.json", "centroids.pt"

_CHUNK_PASSAGES = 8192
_SAMPLED_PER_PARTITION = 64
_HELD_OUT_FRACTION, _MAX_HELD_OUT = 0.05, 50_000


def write(
    stored: StoredEmbeddings, settings: IndexSettings, folder: Path, seed: int, centroids: torch.Tensor | None = None
) -> None:
    """Writes PLAID's files of the stored embeddings into `folder`, for colbert-ai's own searcher too.

    Args:
        stored: all embeddings.
        settings: bits a dimension, k-means iterations, lengths in retriever tokens.
        folder: empty.
        seed: draws the k-means sample and first centroids.
        centroids: float32 (C, H), taken as they are; None: made by k-means.
    """
    config = ColBERTConfig(
        index_path=str(folder),
        dim=stored.vectors.shape[1],
        nbits=settings.bits,
        kmeans_niters=settings.kmeans_iterations,
        query_maxlen=settings.query_tokens,
        doc_maxlen=settings.passage_tokens,
    )
    with quiet_cpu():
        PlaidIndexer(config, stored, seed, centroids).run()


def read_centroids(folder: Path) -> torch.Tensor:
    """The centroids of PLAID's files in `folder`, float32 (C, H)."""
    return torch.load(folder / CENTROIDS_FILE, map_location="cpu", weights_only=True).float()


class PlaidIndexer(CollectionIndexer):
    """Writes PLAID's files from stored embeddings: one process, no second encoding, the same files for one seed.

    Sampling, k-means and the plan are overridden; codec, compression, chunks and inverted lists are colbert-ai's.
    """

    def __init__(
        self, config: ColBERTConfig, stored: StoredEmbeddings, seed: int, centroids: torch.Tensor | None
    ) -> None:
        self.config, self.stored, self.seed, self.given_centroids = config, stored, seed, centroids
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
        given = self.given_centroids
        self.num_partitions = count_partitions(self.num_embeddings_est) if given is None else len(given)
        self._save_plan()

    def _concatenate_and_split_sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        total = self.num_embeddings_est
        held_out = max(1, min(int(_HELD_OUT_FRACTION * total), _MAX_HELD_OUT))
        wanted = min(total, _SAMPLED_PER_PARTITION * self.num_partitions + held_out)
        drawn = np.random.default_rng(self.seed).permutation(total)[:wanted]
        vectors = torch.from_numpy(np.asarray(self.stored.vectors[drawn]))
        return vectors[held_out:], vectors[:held_out]

    def _train_kmeans(self, sample: torch.Tensor, shared_lists: object) -> torch.Tensor:
        if self.given_centroids is not None:
            return self.given_centroids
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
