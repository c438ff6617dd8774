"""Shards as one table of passages, of which memory holds only numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jmlr.data.shards import PASSAGES, QUESTIONS, REJECTED, SKETCH, SKETCHES
from jmlr.data.tables import PASSAGE_SCHEMA, REJECTED_SCHEMA, batches_of, read_questions, row_batches
from jmlr.types import Passage, Question, Rejected

_BLOCK_ROWS = 100_000


class Merged:
    """The N passages of all shards, numbered in the order of the shards.

    Args:
        folders: of the shards.
        origins: the source of each.
    """

    def __init__(self, folders: Sequence[Path], origins: Sequence[str]) -> None:
        self._folders, self._origins = folders, origins
        sizes = [(folder / SKETCHES).stat().st_size // SKETCH.itemsize for folder in folders]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> np.ndarray:
        """One number of each passage's sketch, uint64 (N,): `id`, `content`, `saying` or `row_saying`."""
        blocks = [np.empty(0, np.uint64)]
        for folder in self._folders:
            with (folder / SKETCHES).open("rb") as stream:
                while len(block := np.fromfile(stream, SKETCH, _BLOCK_ROWS)):
                    blocks.append(np.ascontiguousarray(block[name]))
        return np.concatenate(blocks)

    def origin(self, row: int) -> str:
        """The source of a passage."""
        return self._origins[int(np.searchsorted(self._starts, row, side="right")) - 1]

    def ids(self, rows: np.ndarray, column: str = "passage_id") -> dict[int, str]:
        """The ids of these passages, or (`row_id`) of the rows they were cut from; `rows` must increase."""
        found: dict[int, str] = {}
        for start, batch in self._batches([column]):
            own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
            values = batch[column].take(pa.array(own - start)).to_pylist()
            found.update(zip(own.tolist(), values, strict=True))
        return found

    def numbered(self, number: Callable[[str], int]) -> np.ndarray:
        """`number` of each passage's id, uint64 (N,)."""
        parts = [np.empty(0, np.uint64)]
        for _, batch in self._batches(["passage_id"]):
            parts.append(np.array([number(one) for one in batch["passage_id"].to_pylist()], np.uint64))
        return np.concatenate(parts)

    def marked(self, names: list[str], mark: Callable[..., int]) -> np.ndarray:
        """`mark` of each passage, given its columns `names`, int64 (N,)."""
        parts = [np.empty(0, np.int64)]
        for _, batch in self._batches(names):
            columns = (batch[name].to_pylist() for name in names)
            parts.append(np.array([mark(*values) for values in zip(*columns, strict=True)], np.int64))
        return np.concatenate(parts)

    def chunks_of(self, row_ids: Iterable[str]) -> dict[str, list[tuple[int, Passage]]]:
        """For each of these ids the passages cut from its row, with their row numbers."""
        wanted, found = pa.array(sorted(set(row_ids)), pa.string()), dict[str, list[tuple[int, Passage]]]()
        for start, batch in self._batches(["row_id", "passage_id", "text"]) if len(wanted) else ():
            for place in np.flatnonzero(pc.is_in(batch["row_id"], value_set=wanted)).tolist():
                row_id, passage_id, text = (batch[name][place].as_py() for name in ("row_id", "passage_id", "text"))
                found.setdefault(row_id, []).append((start + place, Passage(passage_id, text)))
        return found

    def tables(self, kept: np.ndarray) -> Iterator[pa.Table]:
        """The passages selected by `kept`, bool (N,), as tables of PASSAGE_SCHEMA, in order."""
        for start, batch in self._batches(PASSAGE_SCHEMA.names):
            chosen = pa.array(kept[start : start + len(batch)])
            yield pa.Table.from_batches([batch.filter(chosen)], schema=PASSAGE_SCHEMA)

    def questions(self, number: int) -> list[Question]:
        """The questions of one shard."""
        return read_questions(self._folders[number] / QUESTIONS)

    def rejected(self) -> Iterator[Rejected]:
        """The rejected rows of the files, shard by shard."""
        for folder in self._folders:
            for batch in row_batches(folder / REJECTED, REJECTED_SCHEMA):
                yield from (Rejected(**row) for row in batch)

    def _batches(self, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The number of the first passage, and the passages, of each batch."""
        for folder, start in zip(self._folders, self._starts.tolist(), strict=False):
            for batch in batches_of(folder / PASSAGES, columns):
                yield start, batch
                start += len(batch)
