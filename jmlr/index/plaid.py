"""colbert-ai's PLAID indexer, fed with embeddings that are already there."""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from colbert.data.collection import Collection
from colbert.indexing.codecs.residual import ResidualCodec
from colbert.indexing.collection_indexer import CollectionIndexer
from colbert.indexing.index_saver import IndexSaver
from colbert.infra.config import ColBERTConfig

from jmlr.files import write_json
from jmlr.index.backend import count_partitions
from jmlr.index.centroids import NearestCentroid, cluster
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.quiet import quiet_cpu
from jmlr.settings import IndexSettings

METADATA_FILE, PLAN_FILE = "metadata.json", "plan.json"

_CHUNK_PASSAGES = 8192
_SAMPLED_PER_PARTITION = 64
_HELD_OUT_FRACTION, _MAX_HELD_OUT = 0.05, 10_000


def write(stored: StoredEmbeddings, settings: IndexSettings, folder: Path, seed: int) -> None:
    """Writes PLAID's files of the stored embeddings into `folder`, for colbert-ai's own searcher too.

    Args:
        stored: all embeddings.
        settings: bits a dimension, k-means iterations, lengths in retriever tokens.
        folder: empty.
        seed: draws the k-means sample and first centroids.
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
        PlaidIndexer(config, stored, seed).run()


class PlaidIndexer(CollectionIndexer):
    """Writes PLAID's files from stored embeddings: one process, no second encoding, the same files for one seed.

    Sampling, k-means, the plan and how codes are found are overridden; what is written is colbert-ai's.
    """

    def __init__(self, config: ColBERTConfig, stored: StoredEmbeddings, seed: int) -> None:
        self.config, self.stored, self.seed = config, stored, seed
        self.verbose, self.rank, self.nranks, self.use_gpu = 0, 0, 1, False
        self.collection = _PassageNumbers(len(stored.passage_ids))
        self.encoder = _Lookup(stored)
        self.saver = _Saver(config)

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
        return cluster(sample, self.num_partitions, self.config.kmeans_niters, self.seed)


class _Saver(IndexSaver):
    """Compresses by _Codec."""

    def load_codec(self) -> ResidualCodec:
        return _Codec.load(index_path=self.config.index_path_)


class _Codec(ResidualCodec):
    """colbert-ai's codec in a tenth of its time on CPU: the same bytes, but for vectors that miss their centroid."""

    @cached_property
    def _nearest(self) -> NearestCentroid:
        return NearestCentroid(self.centroids)

    def compress_into_codes(self, embs: torch.Tensor, out_device: object) -> torch.Tensor:
        """The nearest centroid of each vector, float (N, H): int64 (N,)."""
        return self._nearest.of(embs)

    def binarize(self, residuals: torch.Tensor) -> torch.Tensor:
        """Bucket numbers of residuals, float (N, H), their bits reversed, 8 / bits of them a byte: uint8."""
        reversed_bits = torch.tensor([_reversed(number, self.nbits) for number in range(2**self.nbits)])
        buckets = reversed_bits.to(torch.uint8)[torch.bucketize(residuals, self.bucket_cutoffs, out_int32=True)]
        packed = torch.zeros(len(buckets), self.dim * self.nbits // 8, dtype=torch.uint8)
        for place in range(0, 8, self.nbits):
            packed = (packed << self.nbits) | buckets[:, place // self.nbits :: 8 // self.nbits]
        return packed


def _reversed(number: int, bits: int) -> int:
    """The number whose bits are those of `number` in the other order.

    >>> _reversed(1, 4), _reversed(6, 4)
    (8, 6)
    """
    return int(f"{number:0{bits}b}"[::-1], 2)


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
        first, end = pids[0], pids[-1] + 1  # a chunk: neighbours
        rows = self.stored.vectors[self.stored.offsets[first] : self.stored.offsets[end]]
        return torch.from_numpy(rows.astype(np.float32)), self.stored.lengths[first:end].tolist()


def _make_relocatable(folder: Path) -> None:
    """Drops the paths, the user's folders and the time that colbert-ai writes into metadata.json and plan.json."""
    path = folder / METADATA_FILE
    metadata = json.loads(path.read_text(encoding="utf-8"))
    kept = ("dim", "nbits", "kmeans_niters", "query_maxlen", "doc_maxlen")
    metadata["config"] = {name: metadata["config"][name] for name in kept}
    write_json(path, metadata, sort_keys=True)
    (folder / PLAN_FILE).unlink()
