"""The pool of candidate passages of every question, and its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from rich.progress import track

from jmlr.data.tables import read_rows, write_rows
from jmlr.errors import DataError
from jmlr.index.fusion import PassageSearch
from jmlr.index.search import QUESTIONS_PER_BATCH
from jmlr.types import Hit, Question

SCHEMA = pa.schema(
    [
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("passage_id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
"""One row a candidate; rank 1 is the best."""

_REMEDY = "dvc repro index"


def mine(search: PassageSearch, questions: Sequence[Question], pool_size: int) -> dict[str, list[Hit]]:
    """The `pool_size` best passages of every question, by question id.

    Where there are fewer to find, a line printed says for how many questions, and how few.

    Raises:
        DataError: if a question id comes twice.
    """
    check_questions(questions)
    pools: dict[str, list[Hit]] = {}
    starts = range(0, len(questions), QUESTIONS_PER_BATCH)
    for start in track(starts, f"retrieving for {len(questions):,} questions", transient=True):
        batch = questions[start : start + QUESTIONS_PER_BATCH]
        hits = search.search([question.text for question in batch], pool_size)
        pools.update((question.question_id, pool) for question, pool in zip(batch, hits, strict=True))
    short = [len(pool) for pool in pools.values() if len(pool) < pool_size]
    if short:
        print(
            f"retrieval: {len(short):,} of {len(pools):,} questions have fewer than {pool_size} passages to find, "
            f"the fewest {min(short)}"
        )
    return pools


def check_questions(questions: Sequence[Question]) -> None:
    """Raises DataError if a question id comes twice: what is found for one would pass for the other's."""
    repeated = [name for name, count in Counter(question.question_id for question in questions).items() if count > 1]
    if repeated:
        raise DataError(
            f"question id {repeated[0]} comes twice", expected="ids that differ", next_step="dvc repro ingest"
        )


def write(path: Path, pools: Mapping[str, Sequence[Hit]]) -> None:
    """Writes the pools to the parquet file `path`, whole or not at all."""
    rows = [
        {"question_id": question_id, "rank": rank, "passage_id": hit.passage_id, "score": hit.score}
        for question_id, pool in pools.items()
        for rank, hit in enumerate(pool, start=1)
    ]
    write_rows(path, rows, SCHEMA)


def read(path: Path) -> dict[str, list[Hit]]:
    """The pools of a candidates table, best first.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    pools: dict[str, list[Hit]] = {}
    for row in sorted(read_rows(path, SCHEMA, _REMEDY), key=lambda row: row["rank"]):
        pools.setdefault(row["question_id"], []).append(Hit(row["passage_id"], row["score"]))
    return pools
