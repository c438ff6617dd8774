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
        places: of each vector's token in its passage, int16 (E,); None: one after another.
    """

    vectors: torch.Tensor
    lengths: torch.Tensor
    places: torch.Tensor | None = None

    @cached_property
    def starts(self) -> torch.Tensor:
        """The row of each passage's first vector, int64 (N,)."""
        return self.lengths.cumsum(0) - self.lengths

    @cached_property
    def width(self) -> int:
        """D, places of the longest passage."""
        return int(self.lengths.max() if self.places is None else self.places.max() + 1)

    def rows(self, pids: torch.Tensor) -> torch.Tensor:
        """The rows of some passages (K,), one passage after another, int64 (sum of their lengths,)."""
        return ranges(self.starts[pids], self.lengths[pids])

    def padded(self, pids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors float32 (..., D, H) of passages (...), zero where padded, and the mask of those that count (..., D).

        Only they are moved to the device of `pids`. D is the same for all passages, and each vector has its place of
        the encoding: a sum over them, as in a gradient, is then the same to the last bit whatever the pool.
        """
        flat = pids.flatten().cpu()
        rows, lengths = self.rows(flat), self.lengths[flat]
        places = ranges(torch.zeros_like(lengths), lengths) if self.places is None else self.places[rows].long()
        target = (torch.repeat_interleave(lengths) * self.width + places).to(pids.device)
        mask = torch.zeros(len(flat) * self.width, dtype=torch.bool, device=pids.device)
        vectors = torch.zeros(len(mask), self.vectors.shape[1], device=pids.device)
        mask[target], vectors[target] = True, self.vectors.index_select(0, rows).to(pids.device).float()
        return vectors.view(*pids.shape, self.width, -1), mask.view(*pids.shape, self.width)


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
