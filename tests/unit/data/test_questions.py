"""Gold passages after cutting and the removal of copies, and ids of questions across sources."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from jmlr.data.chunking import Budget
from jmlr.data.merged import Merged
from jmlr.data.questions import with_gold
from jmlr.data.shards import ShardMaker
from jmlr.errors import DataError
from jmlr.types import Passage, Question

LONG = [f"w{letter}{other}" for letter in "abcdefghi" for other in "vwxyz"]
ANSWER = " ".join(LONG[30:35])


def question(question_id: str, *gold: str, right: str = "rest") -> Question:
    return Question(question_id, f"Why {question_id}?", (right, "ice"), 0, "test", gold_passage_ids=gold)


def row(question_id: str, *gold: str, **more) -> dict:
    made = {"question_id": question_id, "question": f"Why {question_id}?", "options": ["rest", "ice"], "answer": "A"}
    return {**made, "gold_passage_ids": list(gold), **more}


def text(seed: int, count: int = 40) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(count))


@pytest.fixture(scope="module")
def merged(tmp_path_factory, word_tokenizer) -> Merged:
    """Rows 0 to 2: a cut passage; 3: a short one; 4: its copy; 5: one whose id came before; 6: another."""
    maker = ShardMaker(tmp_path_factory.mktemp("shards"), word_tokenizer, Budget(20, 5), None)
    passages = [Passage("long", " ".join(LONG)), Passage("a", "One."), Passage("copy", "One."), Passage("a", "One.")]
    return Merged([maker.of_passages([*passages, Passage("b", "Two.")], "k", "x")], ["x"])


STANDS_FOR = np.array([0, 1, 2, 3, 3, -1, 6])
NONE = np.zeros(len(STANDS_FOR), bool)


def gold_of(merged: Merged, *questions: Question, stands_for: np.ndarray = STANDS_FOR):
    found, rows = with_gold(questions, merged, stands_for, NONE)
    return [one.gold_passage_ids for one in found], rows.tolist()


def test_gold_of_a_cut_passage_is_its_chunks(merged):
    assert gold_of(merged, question("q", "long")) == ([("long#1", "long#2", "long#3")], [0, 1, 2])


def test_gold_is_the_chunk_that_holds_the_answer(merged):
    found, rows = gold_of(merged, question("q", "long", right=ANSWER))
    holding = [number for number, chunk in merged.chunks_of(["long"])["long"] if ANSWER in chunk.text]
    assert rows == holding
    assert found == [tuple(f"long#{number + 1}" for number in holding)]
    assert len(holding) < 3


def test_gold_that_is_a_copy_becomes_what_is_kept_for_it(merged):
    assert gold_of(merged, question("q", "copy"), question("r", "b", "a", "copy")) == ([("a",), ("b", "a")], [3, 6])


def test_chunk_that_is_a_copy_becomes_what_is_kept_for_it(merged):
    stands_for = np.array([0, 1, 2, 3, 3, -1, 2])
    assert gold_of(merged, question("q", "b", "long"), stands_for=stands_for) == (
        [("long#3", "long#1", "long#2")],
        [0, 1, 2],
    )


def test_unknown_gold_stays_for_validation_to_find(merged):
    assert gold_of(merged, question("q", "nobody", "b"), question("r")) == ([("nobody", "b"), ()], [6])


def test_questions_keep_all_else_and_their_order(merged):
    before = [question("q", "b"), question("r", "a")]
    after, _ = with_gold(before, merged, STANDS_FOR, NONE)
    assert [(one.question_id, one.text, one.options) for one in after] == [
        (q.question_id, q.text, q.options) for q in before
    ]


def write(path, *rows: dict) -> None:
    path.write_text("\n".join(map(json.dumps, rows)))


def test_ingest_gives_gold_passages_that_exist(tmp_path, ingest_settings, ingested):
    first = text(1)
    write(tmp_path / "a.jsonl", {"passage_id": "p1", "text": first}, {"passage_id": "p2", "text": text(2, 120)})
    write(tmp_path / "b.jsonl", {"passage_id": "p3", "text": f"{first}!"}, row("q", "p3", "p2", "gone", split="test"))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"}))
    ids = [passage.passage_id for passage in found.passages]
    assert ids == ["p1", "p2#1", "p2#2", "p2#3"]
    assert found.questions[0].gold_passage_ids == (*ids, "gone")
    assert "says the same as another passage,p1" in found.rejects


@pytest.mark.parametrize("most", [3, 5])
def test_few_passages_are_the_gold_ones_first(tmp_path, ingest_settings, ingested, most):
    passages = [{"passage_id": f"p{number}", "text": text(number)} for number in range(20)]
    write(tmp_path / "a.jsonl", *passages, row("q", "p17", "p3"), row("r", "p11", "gone"))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, max_passages=most))
    ids = [passage.passage_id for passage in found.passages]
    assert len(ids) == most
    assert {"p3", "p11", "p17"} <= set(ids)
    assert ids == sorted(ids, key=lambda one: int(one[1:]))


def test_fewer_passages_than_gold_ones_are_refused(tmp_path, ingest_settings, ingested):
    write(tmp_path / "a.jsonl", *({"passage_id": f"p{n}", "text": text(n)} for n in range(4)), row("q", "p1", "p2"))
    with pytest.raises(DataError, match=r"(?s)the questions have 2 gold passages; expected at most .*\n  next: raise"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, max_passages=1))


def test_gold_ids_are_cleaned_as_passage_ids_are(tmp_path, ingest_settings, ingested):
    write(tmp_path / "a.jsonl", {"passage_id": "the  one ", "text": "One."}, row("q", "the  one "))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert found.questions[0].gold_passage_ids == (found.passages[0].passage_id,) == ("the one",)


@pytest.mark.parametrize("change", [{"answer": "B"}, {"question": "Who?"}, {"rationale": "So."}, {"subject": "Gout"}])
def test_id_of_two_questions_is_refused(tmp_path, ingest_settings, ingested, change):
    write(tmp_path / "a.jsonl", row("q"), row("q", **change))
    with pytest.raises(DataError, match="id 'q' comes twice, from .*a.jsonl and .*a.jsonl"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))


def test_id_in_two_sources_is_refused_even_of_the_same_question(tmp_path, ingest_settings, ingested):
    """Which source has it decides its licence and split: a person must."""
    for name in "ab":
        write(tmp_path / f"{name}.jsonl", row("q", source="exam"))
    with pytest.raises(DataError, match=r"id 'q' comes twice, from .*a.jsonl and .*b.jsonl"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"}))


def test_drafts_of_a_source_are_finished_together_though_units_part_them(
    tmp_path, ingest_settings, ingested, monkeypatch
):
    """MedQuAD's options come from other files: one unit a file must give the questions of one unit."""
    pair = '<QAPair pid="1"><Question qtype="information">What is {0}?</Question><Answer>{1}</Answer></QAPair>'
    for number, name in enumerate(["Gout", "Asthma", "Measles", "Scurvy", "Rickets"]):
        answer = f"{name} is a disease that {text(number, 8)}."
        pairs = f"<QAPairs>{pair.format(name, answer)}</QAPairs>"
        (tmp_path / f"{number}.xml").write_text(f"<Document source='x'><Focus>{name}</Focus>{pairs}</Document>")
    settings = ingest_settings(tmp_path, {"path": ".", "format": "medquad"})
    together = ingested(settings).questions
    monkeypatch.setattr("jmlr.data.units._UNIT_BYTES", 1)
    assert ingested(settings).questions == together
    assert [len(one.options) for one in together] == [4] * 5
    assert len({folder.name for folder in (tmp_path / "shards").iterdir()}) == 5


def test_withdrawn_gold_goes_and_gold_that_is_unknown_stays(merged):
    withdrawn = np.isin(np.arange(len(STANDS_FOR)), [0, 1, 2, 3])
    asked = [question("q", "long", "b"), question("r", "copy"), question("s", "a", "nobody")]
    found, rows = with_gold(asked, merged, STANDS_FOR, withdrawn)
    assert [one.gold_passage_ids for one in found] == [("b",), (), ("nobody",)]
    assert rows.tolist() == [6]
