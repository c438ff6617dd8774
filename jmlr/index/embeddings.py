"""The token embeddings of all passages, stored as float16 and memory-mapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from jmlr import fingerprint
from jmlr.data.tables import read_rows, write_rows
from jmlr.index.generation import REMEDY
from jmlr.types import Passage

VECTORS_FILE, OFFSETS_FILE, PASSAGES_FILE = "embeddings.npy", "offsets.npy", "passages.parquet"
PASSAGES_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("passage_id", "text_hash")])


@dataclass(frozen=True)
class StoredEmbeddings:
    """Passage `pid` (its place in the passages table) owns the rows offsets[pid] to offsets[pid + 1] of `vectors`.

    Attributes:
        vectors: float16 (E, H), unit vectors, memory-mapped; what is written to it does not reach the file.
        offsets: int64 (N + 1,).
        passage_ids: N ids.
        text_hashes: of the N indexed texts; equal texts have equal embeddings.
    """

    vectors: np.ndarray
    offsets: np.ndarray
    passage_ids: tuple[str, ...]
    text_hashes: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> StoredEmbeddings:
        """The embeddings stored in a generation's folder.

        Raises:
            DataError: if the table of passages is missing or broken.
        """
        rows = read_rows(folder / PASSAGES_FILE, PASSAGES_SCHEMA, REMEDY)
        vectors, offsets = np.load(folder / VECTORS_FILE, mmap_mode="c"), np.load(folder / OFFSETS_FILE)
        return cls(vectors, offsets, *(tuple(row[name] for row in rows) for name in PASSAGES_SCHEMA.names))

    @cached_property
    def lengths(self) -> np.ndarray:
        """Embeddings a passage, int64 (N,)."""
        return np.diff(self.offsets)

    def rows(self, pids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The embeddings of some passages one after another, float16 (sum of their lengths, H)."""
        if len(pids) == 0:
            return self.vectors[:0]
        return np.concatenate([self.vectors[self.offsets[pid] : self.offsets[pid + 1]] for pid in pids])

    def padded(self, pids: Sequence[int], dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (K, D, H) of `dtype`, zero where padded, and the bool mask (K, D) of those that count."""
        lengths = torch.from_numpy(self.lengths[list(pids)])
        mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
        vectors = torch.zeros(*mask.shape, self.vectors.shape[1], dtype=dtype)
        vectors[mask] = torch.from_numpy(self.rows(pids)).to(dtype)
        return vectors, mask


def write_passages(folder: Path, passages: Sequence[Passage]) -> None:
    """Writes the table of ids and text hashes that `StoredEmbeddings.open` reads."""
    rows = [
        {"passage_id": passage.passage_id, "text_hash": fingerprint.of_text(passage.indexed_text)}
        for passage in passages
    ]
    write_rows(folder / PASSAGES_FILE, rows, PASSAGES_SCHEMA)
