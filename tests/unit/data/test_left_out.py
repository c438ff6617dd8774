"""Ingest without what is withdrawn: copies, pieces, gold passages, splits, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jmlr.data.withdrawal import WITHDRAWN_FILE
from jmlr.errors import DataError

LONG = " ".join(f"word{number}" for number in range(30))
TEXTS = {
    "a1": "The swollen toe of gout is treated with rest and with cold water.",
    "a2": "Asthma makes the breath short at night and in cold air of the morning.",
    "a3": "A kidney stone gives a pain in the flank that comes and goes in waves.",
    "long": " ".join(f"term{number}" for number in range(120)),
}


def passage(name: str, text: str, **changes) -> dict:
    return {"passage_id": name, "text": text, **changes}


def question(number: int, gold: list[str], split: str, **changes) -> dict:
    row = {"question_id": f"q{number}", "question": f"Which of the {number}?", "options": ["MRI", "ECG"], "answer": "B"}
    return {**row, "gold_passage_ids": gold, "split": split, **changes}


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def withdraw(tmp_path, monkeypatch):
    """Writes the log of the folder that ingest runs in; gives nothing."""
    monkeypatch.chdir(tmp_path)

    def write(**names: str) -> None:
        rows = [f"- {{{kind}: {name!r}, reason: old, date: 2026-01-02, who: ann}}\n" for kind, name in names.items()]
        WITHDRAWN_FILE.write_text("".join(rows))

    return write


@pytest.fixture
def settings(tmp_path, withdraw, ingest_settings):
    """Two sources, of which the second says again what a1 of the first says, and questions in all splits."""
    first = [passage(name, text, document_id=f"doc-{name[0]}") for name, text in TEXTS.items()]
    second = [passage("b1", TEXTS["a1"]), passage("b2", "Fever and cough come with an infection of the lung.")]
    write_lines(tmp_path / "first.jsonl", first)
    write_lines(tmp_path / "second.jsonl", second)
    asked = [
        question(1, ["a1"], "train", rationale="Because the toe swells in the night and hurts."),
        question(2, ["a1", "a2"], "train"),
        question(3, ["a1"], "test"),
        question(4, ["b1"], "dev"),
        question(5, ["long"], "test"),
        question(6, [], "train"),
    ]
    write_lines(tmp_path / "asked.jsonl", asked)
    sources = [{"path": f"{name}.jsonl"} for name in ("first", "second", "asked")]
    return ingest_settings(tmp_path, *sources, rationales_as_passages=True)


def gold(found) -> dict[str, list[str]]:
    return {one.question_id: list(one.gold_passage_ids) for one in found.questions}


def test_an_empty_log_changes_no_byte(settings, ingested, withdraw):
    without = ingested(settings)
    files = [path.read_bytes() for path in (without.places.passages, without.places.questions, without.places.counts)]
    withdraw()
    again = ingested(settings)
    assert [p.read_bytes() for p in (again.places.passages, again.places.questions, again.places.counts)] == files


def test_a_passage_goes_with_its_copy_and_what_rests_on_it(settings, ingested, withdraw):
    before = ingested(settings)
    withdraw(passage_id="a1")
    found = ingested(settings)
    ids = [one.passage_id for one in found.passages]
    assert [one.passage_id for one in before.passages] == ["a1", "a2", "a3", "long#1", "long#2", "long#3", "b2", "rationale:q1"]
    assert ids == ["a2", "a3", "long#1", "long#2", "long#3", "b2"]
    assert gold(before)["q4"] == ["a1"]  # what b1 says again
    assert gold(found) == {"q2": ["a2"], "q3": [], "q4": [], "q5": gold(before)["q5"], "q6": []}
    assert {one.question_id: one.split for one in before.questions}.items() >= {
        one.question_id: one.split for one in found.questions
    }.items()
    assert found.counts["withdrawn"] == {
        "entries": 1,
        "passages": 3,
        "training_questions": 1,
        "questions_without_gold": 2,
        "entries_without_passage": [],
    }
    assert "a1,withdrawn,passage a1: old" in found.rejects
    assert 'rationale:q1,"says the same as a withdrawn passage, or rests on one",' in found.rejects
    assert "asked,q1,all its gold passages are withdrawn," in found.rejects
    assert found.counts["rejected_by_reason"]["withdrawn"] == 1


def test_a_correction_stays_whole_where_what_it_corrects_is_withdrawn(tmp_path, ingest_settings, ingested, withdraw):
    said = "For a minor dental procedure the tablet is taken {} the procedure on the same day as usual, " + LONG
    rows = [passage("old", said.format("before")), passage("new", said.format("after"))]
    write_lines(tmp_path / "own.jsonl", [*rows, question(1, ["new"], "train")])
    withdraw(passage_id="old")
    found = ingested(ingest_settings(tmp_path, {"path": "own.jsonl"}))
    kept = {one.passage_id: one.text for one in found.passages}
    assert {name.partition("#")[0] for name in kept} == {"new"}
    assert "taken after the procedure" in " ".join(kept.values())
    assert " ".join(kept.values()).endswith("word29")
    assert gold(found)["q1"] == list(kept)


def test_a_copy_that_is_withdrawn_takes_the_first_with_it(settings, ingested, withdraw):
    withdraw(passage_id="b1")
    found = ingested(settings)
    assert not {"a1", "b1"} & {one.passage_id for one in found.passages}
    assert 'a1,"says the same as a withdrawn passage, or rests on one",' in found.rejects


def test_a_source_leaves_what_another_source_says(settings, ingested, withdraw):
    withdraw(source="first")
    found = ingested(settings)
    assert [one.passage_id for one in found.passages] == ["b1", "b2"]
    assert gold(found) == {"q3": [], "q4": ["b1"], "q5": [], "q6": []}


def test_all_pieces_go_with_the_passage_they_were_cut_from(settings, ingested, withdraw):
    withdraw(passage_id="long")
    found = ingested(settings)
    assert [one.passage_id for one in found.passages] == ["a1", "a2", "a3", "b2", "rationale:q1"]
    assert found.counts["withdrawn"]["passages"] == 3


def test_what_stays_is_as_if_the_rows_had_never_been_there(settings, ingested, withdraw, tmp_path):
    withdraw(document_id="doc-a")
    found = ingested(settings)
    (tmp_path / "withdrawn.yaml").unlink()
    rows = [passage("long", TEXTS["long"], document_id="doc-l")]
    write_lines(tmp_path / "first.jsonl", rows)
    write_lines(tmp_path / "second.jsonl", [passage("b2", "Fever and cough come with an infection of the lung.")])
    asked = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    write_lines(tmp_path / "asked.jsonl", [row for row in asked if row["question_id"] not in ("q1", "q2")])
    assert ingested(settings).passages == found.passages


def test_an_entry_that_names_nothing_is_counted(settings, ingested, withdraw):
    withdraw(passage_id="gone", source="first")
    assert ingested(settings).counts["withdrawn"]["entries_without_passage"] == ["passage gone"]


def test_a_broken_log_stops_before_anything_is_read(settings, ingested, tmp_path):
    WITHDRAWN_FILE.write_text("- {source: first}\n")
    with pytest.raises(DataError, match=r"withdrawn\.yaml, entry 1: reason: Field required"):
        ingested(settings)
    assert not (tmp_path / "shards").exists()


def test_gold_passages_are_kept_where_few_passages_are_asked_for(settings, ingested, withdraw):
    withdraw(passage_id="a1")
    few = settings.model_copy(update={"max_passages": 4})
    found = ingested(few)
    assert {"a2", *gold(found)["q5"]} <= {one.passage_id for one in found.passages}
    assert len(found.passages) == 4
