"""Passages and questions as parquet tables with an explicit schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jmlr.errors import DataError
from jmlr.files import replacing
from jmlr.types import Passage, Question

_LISTS = {"options", "gold_passage_ids"}
_INTEGERS = {"answer_index"}


def _schema(row_type: type) -> pa.Schema:
    def arrow_type(name: str) -> pa.DataType:
        if name in _LISTS:
            return pa.list_(pa.string())
        return pa.int64() if name in _INTEGERS else pa.string()

    return pa.schema([pa.field(entry.name, arrow_type(entry.name), nullable=False) for entry in fields(row_type)])


PASSAGE_SCHEMA = _schema(Passage)
QUESTION_SCHEMA = _schema(Question)


def write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
    """Writes a parquet table, whole or not at all; without a schema the values tell it."""
    with replacing(path) as unfinished:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), unfinished)


def read_rows(path: Path, schema: pa.Schema, remedy: str = "dvc repro ingest") -> list[dict[str, Any]]:
    """The rows of a parquet table, in its order; `remedy` is the command that makes the table.

    Raises:
        DataError: if the table is missing, broken or has another schema.
    """
    if not path.exists():
        raise DataError("no such table", expected="a parquet file", where=str(path), next_step=remedy)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"not a parquet table ({error})", where=str(path), next_step=remedy) from error
    if not table.schema.equals(schema):
        difference = sorted(set(_columns(table.schema)) ^ set(_columns(schema))) or ["order of columns, or nulls"]
        raise DataError(
            f"another schema: {', '.join(difference)}",
            expected=", ".join(_columns(schema)),
            where=str(path),
            next_step=remedy,
        )
    return table.to_pylist()


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
