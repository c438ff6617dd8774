"""Shards as one table, with blocks and batches so small that every border is crossed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from jmlr.settings import SourceSettings
from jmlr.data import merged as module
from jmlr.data import shards
from jmlr.data.chunking import Budget
from jmlr.data.merged import Merged
from jmlr.data.shards import SKETCH, ShardMaker, sketch
from jmlr.data.tables import PASSAGE_SCHEMA
from jmlr.data.units import Unit
from jmlr.types import Passage, Question, Rejected

SIZES = (3, 0, 1, 4)
ORIGINS = ("a", "b", "c", "d")
LONG = " ".join(f"w{number}" for number in range(45))


def passages_of(number: int) -> list[Passage]:
    size = SIZES[number]
    return [Passage(f"{ORIGINS[number]}{row}", f"text {row} of {number}", title="T", end=11) for row in range(size)]


ALL = [passage for number in range(len(SIZES)) for passage in passages_of(number)]


@pytest.fixture(scope="module")
def maker(tmp_path_factory, word_tokenizer):
    return ShardMaker(tmp_path_factory.mktemp("shards"), word_tokenizer, Budget(20, 5), None)


@pytest.fixture
def merged(maker, monkeypatch) -> Merged:
    monkeypatch.setattr(shards, "_BATCH_ROWS", 2)  # rows of a row group
    monkeypatch.setattr(module, "_BLOCK_ROWS", 3)
    folders = [maker.of_passages(passages_of(number), f"k{number}", ORIGINS[number]) for number in range(len(SIZES))]
    return Merged(folders, ORIGINS)


def test_passages_are_numbered_in_the_order_of_the_shards(merged):
    assert len(merged) == len(ALL) == 8
    assert [merged.origin(row) for row in range(8)] == [*"aaacdddd"]
    assert merged.ids(np.arange(8)) == {row: passage.passage_id for row, passage in enumerate(ALL)}


@pytest.mark.parametrize("rows", [[], [0], [2, 3], [1, 4, 7], [3]])
def test_ids_of_some_rows(merged, rows):
    assert merged.ids(np.array(rows, np.int64)) == {row: ALL[row].passage_id for row in rows}


def test_columns_are_the_sketches(merged):
    made = [sketch(some, some, origin) for origin, some in zip(ORIGINS, map(passages_of, range(4)), strict=True)]
    for name in SKETCH.names:
        assert merged.column(name).tolist() == np.concatenate(made)[name].tolist()


def test_pieces_know_what_their_row_says_and_what_it_is_called(maker):
    cut = Merged([maker.of_passages([Passage("long", LONG), Passage("again", LONG)], "cut", "x")], ["x"])
    assert len(set(cut.column("row_saying").tolist())) == 1
    assert len(set(cut.column("saying").tolist())) == len(cut) // 2 == 3
    assert set(cut.ids(np.arange(len(cut)), "row_id").values()) == {"long", "again"}


def test_content_tells_sources_apart():
    first, second = (sketch([ALL[0]], [ALL[0]], origin) for origin in ("a", "b"))
    assert first["id"] == second["id"]
    assert first["content"] != second["content"]
    other = [replace(ALL[0], licence="MIT")]
    assert sketch(other, other, "a")["content"] != first["content"]


def test_numbered_calls_for_each_id(merged):
    assert merged.numbered(lambda one: xxhash.xxh3_64_intdigest(one.encode())).tolist() == merged.column("id").tolist()


@pytest.mark.parametrize("kept", [[], [0], [1, 3, 7], range(8)])
def test_tables_hold_what_is_kept_in_order(merged, kept):
    mask = np.isin(np.arange(8), list(kept))
    table = pa.concat_tables(merged.tables(mask))
    assert table.schema.equals(PASSAGE_SCHEMA)
    assert [Passage(**row) for row in table.to_pylist()] == [ALL[row] for row in kept]


def test_chunks_are_found_by_the_id_before_cutting(maker, merged):
    extra = maker.of_passages([Passage("long", LONG), Passage("short", "one")], "extra", "e")
    both = Merged([*merged._folders, extra], [*ORIGINS, "e"])
    found = both.chunks_of(["long", "a1", "nobody", "long"])
    assert sorted(found) == ["a1", "long"]
    assert [row for row, _ in found["a1"]] == [1]
    assert [(row, chunk.passage_id) for row, chunk in found["long"]] == [(8, "long#1"), (9, "long#2"), (10, "long#3")]
    assert found["long"][0][1].text == LONG[: len(found["long"][0][1].text)]
    assert both.chunks_of([]) == {}


def test_no_shard_at_all():
    nothing = Merged([], [])
    assert (len(nothing), nothing.column("id").tolist(), list(nothing.tables(np.empty(0, bool)))) == (0, [], [])


def test_questions_and_rejected_rows_come_back(tmp_path, maker):
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"question_id": "q", "question": "Why?", "options": ["MRI", "ECG"], "answer": "B", "subject": "gout"}\n'
        '{"question_id": "r", "question": "Why?", "options": ["MRI"], "answer": "A"}\n'
        '{"question_id": "s", "question": "", "options": ["MRI", "ECG"], "answer": "A"}\n'
    )
    source = SourceSettings(path="a.jsonl", format="jsonl", licence="MIT")
    whole = Merged([maker(Unit(source, "a", (file,), "questions"))], ["a"])
    assert whole.questions(0) == [
        Question("q", "Why?", ("MRI", "ECG"), 1, "", "a", subject="gout", licence="MIT", origin_id="q")
    ]
    assert list(whole.rejected()) == [
        Rejected(file.as_posix(), "2", "fewer than 2 options", "1"),
        Rejected(file.as_posix(), "3", "question text missing", ""),
    ]
