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
class TokenVectors:
    """The unit vectors of N passages' tokens, one passage after another, on the CPU.

    Attributes:
        vectors: float16 (E, H); memory-mapped where they are a file's, so that all processes read one copy.
        lengths: vectors a passage, int64 (N,).
    """

    vectors: torch.Tensor
    lengths: torch.Tensor

    @cached_property
    def starts(self) -> torch.Tensor:
        """The row of each passage's first vector, int64 (N,)."""
        return self.lengths.cumsum(0) - self.lengths

    def rows(self, pids: torch.Tensor) -> torch.Tensor:
        """The rows of some passages (K,), one passage after another, int64 (sum of their lengths,)."""
        return ranges(self.starts[pids], self.lengths[pids])

    def padded(self, pids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors float32 (..., D, H) of passages (...), zero where padded, and the mask of those that count (..., D).

        Only they are moved to the device of `pids`.
        """
        flat, lengths = pids.flatten().cpu(), self.lengths[pids.cpu()].to(pids.device)
        mask = torch.arange(int(lengths.max()), device=pids.device) < lengths[..., None]
        vectors = torch.zeros(*mask.shape, self.vectors.shape[1], device=pids.device)
        vectors[mask] = self.vectors.index_select(0, self.rows(flat)).to(pids.device).float()
        return vectors, mask


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

    @cached_property
    def tokens(self) -> TokenVectors:
        """The same memory, as tensors."""
        return TokenVectors(torch.from_numpy(self.vectors), torch.from_numpy(self.lengths))


def ranges(starts: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The numbers from each start on, as many as its length says, int64.

    >>> ranges(torch.tensor([5, 1]), torch.tensor([2, 3])).tolist()
    [5, 6, 1, 2, 3]
    """
    ends = lengths.cumsum(0)
    return torch.arange(int(lengths.sum())) + torch.repeat_interleave(starts - (ends - lengths), lengths)


def write_passages(folder: Path, passages: Sequence[Passage]) -> None:
    """Writes the table of ids and text hashes that `StoredEmbeddings.open` reads."""
    rows = [
        {"passage_id": passage.passage_id, "text_hash": fingerprint.of_text(passage.indexed_text)}
        for passage in passages
    ]
    write_rows(folder / PASSAGES_FILE, rows, PASSAGES_SCHEMA)
