"""Candidates: every question its own pool, and the table keeps rank and score."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jmlr.errors import DataError
from jmlr.index import candidates
from jmlr.types import Hit, Question


class EchoSearcher:
    """Retrieves passages named after the question; the third question finds one only."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def search(self, texts, k):
        self.batches.append(len(texts))
        return [[Hit(f"{text}-{rank}", k - rank) for rank in range(1 if text == "text 2" else k)] for text in texts]


def make_questions(count: int) -> list[Question]:
    return [Question(f"q{number}", f"text {number}", ("yes", "no"), 0, "train") for number in range(count)]


def test_every_question_gets_its_own_pool_even_after_a_short_one(monkeypatch):
    monkeypatch.setattr(candidates, "QUESTIONS_PER_BATCH", 4)
    searcher = EchoSearcher()
    pools = candidates.mine(searcher, make_questions(10), 3)
    assert searcher.batches == [4, 4, 2]
    assert len(pools) == 10
    assert [len(pool) for pool in pools.values()] == [3, 3, 1, 3, 3, 3, 3, 3, 3, 3]
    assert all(
        hit.passage_id.startswith(f"text {question_id[1:]}-") for question_id, pool in pools.items() for hit in pool
    )


def test_no_questions_give_no_pools():
    assert candidates.mine(EchoSearcher(), [], 3) == {}


def test_what_is_written_is_read(tmp_path):
    pools = {"q2": [Hit("p1", 3.5), Hit("p9", 3.5), Hit("p2", -1.25)], "q1": [Hit("p1", 0.1)]}
    path = tmp_path / "deep" / "candidates.parquet"
    candidates.write(path, pools)
    assert candidates.read(path) == pools
    table = pq.read_table(path)
    assert table.schema.equals(candidates.SCHEMA)
    assert table.column("rank").to_pylist() == [1, 2, 3, 1]
    assert [entry.name for entry in path.parent.iterdir()] == ["candidates.parquet"]


def test_no_pools_make_a_table_that_can_be_read(tmp_path):
    candidates.write(tmp_path / "candidates.parquet", {})
    assert candidates.read(tmp_path / "candidates.parquet") == {}


def test_a_missing_table_names_the_command(tmp_path):
    with pytest.raises(DataError, match=r"no such table; expected a parquet file\.\n  next: dvc repro index"):
        candidates.read(tmp_path / "candidates.parquet")


def test_another_schema_is_an_error(tmp_path):
    path = tmp_path / "candidates.parquet"
    pq.write_table(pa.table({"question_id": ["q1"], "score": [1.0]}), path)
    with pytest.raises(
        DataError, match="another schema: passage_id: string, rank: int64; expected question_id: string, rank: int64"
    ):
        candidates.read(path)


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    path = tmp_path / "candidates.parquet"
    path.write_text("question_id,rank", encoding="utf-8")
    with pytest.raises(DataError, match="not a parquet table"):
        candidates.read(path)
