"""Passages and questions as parquet tables with an explicit schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jmlr.errors import DataError
from jmlr.files import reading, replacing
from jmlr.types import Leak, Passage, Question, Rejected

_LISTS = {"options", "gold_passage_ids"}
_NUMBERS = {"answer_index": pa.int64(), "start": pa.int64(), "end": pa.int64(), "score": pa.float64()}
_BATCH_ROWS = 10_000


def _schema(row_type: type) -> pa.Schema:
    def arrow_type(name: str) -> pa.DataType:
        if name in _LISTS:
            return pa.list_(pa.string())
        return _NUMBERS.get(name, pa.string())

    return pa.schema([pa.field(entry.name, arrow_type(entry.name), nullable=False) for entry in fields(row_type)])


PASSAGE_SCHEMA = _schema(Passage)
QUESTION_SCHEMA = _schema(Question)
LEAK_SCHEMA = _schema(Leak)
REJECTED_SCHEMA = _schema(Rejected)


def write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
    """Writes a parquet table, whole or not at all; without a schema the values tell it."""
    with replacing(path) as unfinished:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), unfinished, row_group_size=_BATCH_ROWS)


def read_rows(path: Path, schema: pa.Schema, remedy: str = "dvc repro ingest") -> list[dict[str, Any]]:
    """The rows of a parquet table, in its order; `remedy` is the command that makes the table.

    Raises:
        DataError: if the table is missing, broken or has another schema.
    """
    return [row for batch in row_batches(path, schema, remedy) for row in batch]


def read_made(path: Path, next_step: str, **asked: Any) -> pa.Table:
    """A parquet table that jmlr made; `asked` goes to pyarrow: `columns`, `filters`, `schema`.

    Raises:
        DataError: if it is missing, damaged or lacks a column; `next_step` makes it again.
    """
    with reading(path, next_step):
        table = pq.read_table(path, **asked)
        if lacking := sorted(set(asked.get("columns") or ()) - set(table.column_names)):
            raise LookupError(f"no column {', '.join(lacking)}")
        return table


def row_batches(
    path: Path, schema: pa.Schema, remedy: str = "dvc repro ingest", rows: int = _BATCH_ROWS
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a parquet table in its order, at most `rows` at once, so that the table may be larger than memory.

    Raises:
        DataError: if the table is missing, broken or has another schema.
    """
    if not path.exists():
        raise DataError("no such table", expected="a parquet file", where=str(path), next_step=remedy)
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(path, file.schema_arrow, schema, remedy)
        for batch in batches_of(path, rows=rows):
            yield batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"not a parquet table ({error})", where=str(path), next_step=remedy) from error


def batches_of(path: Path, columns: list[str] | None = None, rows: int = _BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a parquet file in its order, at most `rows` at once; of `columns` alone where they are given."""
    with pq.ParquetFile(path) as file:
        # Row group by row group: a pass over the whole file would keep everything in memory.
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=columns)


def _check_schema(path: Path, found: pa.Schema, expected: pa.Schema, remedy: str) -> None:
    if not found.equals(expected):
        difference = sorted(set(_columns(found)) ^ set(_columns(expected))) or ["order of columns, or nulls"]
        raise DataError(
            f"another schema: {', '.join(difference)}",
            expected=", ".join(_columns(expected)),
            where=str(path),
            next_step=remedy,
        )


def _columns(schema: pa.Schema) -> list[str]:
    return [f"{entry.name}: {entry.type}" for entry in schema]


def write_passages(path: Path, passages: Iterable[Passage]) -> None:
    """Writes the passages to the parquet file `path`, whole or not at all."""
    write_rows(path, [asdict(passage) for passage in passages], PASSAGE_SCHEMA)


def read_passages(path: Path) -> list[Passage]:
    """The passages of a parquet table, in its order.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    return [Passage(**row) for row in read_rows(path, PASSAGE_SCHEMA)]


def passage_batches(path: Path, rows: int = _BATCH_ROWS) -> Iterator[list[Passage]]:
    """The passages of a parquet table in its order, at most `rows` at once.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    for batch in row_batches(path, PASSAGE_SCHEMA, rows=rows):
        yield [Passage(**row) for row in batch]


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Writes the questions to the parquet file `path`, whole or not at all."""
    write_rows(path, [asdict(question) for question in questions], QUESTION_SCHEMA)


def read_questions(path: Path) -> list[Question]:
    """The questions of a parquet table, in its order.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    return [
        Question(**{**row, "options": tuple(row["options"]), "gold_passage_ids": tuple(row["gold_passage_ids"])})
        for row in read_rows(path, QUESTION_SCHEMA)
    ]


def write_leaks(path: Path, leaks: Iterable[Leak]) -> None:
    """Writes the leaks to the parquet file `path`, whole or not at all."""
    write_rows(path, [asdict(leak) for leak in leaks], LEAK_SCHEMA)


def read_leaks(path: Path) -> list[Leak]:
    """The leaks of a parquet table, in its order.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    return [Leak(**row) for row in read_rows(path, LEAK_SCHEMA)]
