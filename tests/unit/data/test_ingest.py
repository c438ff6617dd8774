from __future__ import annotations

import json

import pytest

from jmlr.data.units import source_files
from jmlr.errors import DataError


def question(number: int, **changes) -> dict:
    row = {"question_id": f"q{number}", "question": f"Which {number}?", "options": ["MRI", "ECG"], "answer": "B"}
    return {**row, **changes}


def write_lines(path, *rows: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_file_folder_and_glob_are_sources(tmp_path, ingest_settings):
    for name in ("a/one.jsonl", "a/b/two.jsonl", "a/readme.txt"):
        write_lines(tmp_path / name, question(1))
    found = {
        path: [file.name for file in source_files(tmp_path, ingest_settings(tmp_path, {"path": path}).sources[0])]
        for path in ("a/one.jsonl", "a", "a/*.jsonl", "**/*.jsonl")
    }
    assert found == {
        "a/one.jsonl": ["one.jsonl"],
        "a": ["two.jsonl", "one.jsonl"],
        "a/*.jsonl": ["one.jsonl"],
        "**/*.jsonl": ["two.jsonl", "one.jsonl"],
    }


def test_an_id_that_a_chunk_has_already_is_named_as_the_file_has_it(tmp_path, ingest_settings, ingested):
    long = " ".join(f"word{number}" for number in range(90))
    write_lines(tmp_path / "own.jsonl", {"passage_id": "p", "text": long}, {"passage_id": "p#1", "text": "Colchicine."})
    with pytest.raises(DataError) as told:
        ingested(ingest_settings(tmp_path, {"path": "own.jsonl"}))
    assert "'p#1'" in str(told.value)
    assert "'p'" in str(told.value)


@pytest.mark.parametrize("other", ["b/one.md", "one.txt.gz"])
def test_two_text_files_of_one_name_are_refused(tmp_path, ingest_settings, ingested, other):
    for name in ("one.md", other):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Gout hurts.")
    with pytest.raises(DataError, match=r"one\.md is called one, too(?s:.*)rename one of the two"):
        ingested(ingest_settings(tmp_path, {"path": ".", "format": "text"}))


def test_what_is_not_drawn_is_counted(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "q.jsonl", *(question(number) for number in range(5)))
    write_lines(tmp_path / "p.jsonl", *({"passage_id": f"p{number}", "text": f"Text {number}."} for number in range(4)))
    sources = {"path": "q.jsonl"}, {"path": "p.jsonl"}
    bounded = ingested(ingest_settings(tmp_path, *sources, max_questions=3, max_passages=1)).counts
    assert bounded["not_drawn"] == {"questions": 2, "passages": 3}
    assert "not_drawn" not in ingested(ingest_settings(tmp_path, *sources)).counts


@pytest.mark.parametrize(("path", "message"), [("no.jsonl", "no such file"), ("empty", r"no \*\.jsonl in this folder")])
def test_missing_source_is_an_error(tmp_path, path, message, ingest_settings, ingested):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        ingested(ingest_settings(tmp_path, {"path": path}))


def test_source_without_a_usable_row_names_the_reasons(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "q.jsonl", question(1, answer="Z"), question(2, answer="Z"))
    with pytest.raises(DataError, match=r"no usable row \(2 x answer missing or not one of the options\)"):
        ingested(ingest_settings(tmp_path, {"path": "q.jsonl"}))


def test_id_in_two_sources_is_an_error_that_names_both(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "a.jsonl", question(1))
    write_lines(tmp_path / "b.jsonl", question(1))
    with pytest.raises(DataError, match=r"id 'q1' comes twice, from .*a\.jsonl and .*b\.jsonl"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"}))


def test_id_of_two_different_rows_is_an_error(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "a.jsonl", question(1), question(1, answer="A"))
    with pytest.raises(DataError, match="id 'q1' comes twice"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))


def test_exact_repetition_in_a_source_is_rejected(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "a.jsonl", question(1), question(1))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"})).counts
    assert (found["questions"], found["rejected_by_reason"]) == (1, {"duplicated question": 1})


def test_split_of_the_source_overrides(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "a.jsonl", question(1), question(2, split="train"))
    whole = ingested(ingest_settings(tmp_path, {"path": "a.jsonl", "split": "test"}))
    assert [q.split for q in whole.questions] == ["test", "test"]


def test_a_source_can_be_dealt_whatever_split_it_has(tmp_path, ingest_settings, ingested):
    rows = [question(number, split="dev", subject=f"s{number}") for number in range(8)]
    write_lines(tmp_path / "a.jsonl", *rows)
    own, dealt = (
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl", "split": split})).counts["questions_by_split"]
        for split in ("auto", "deal")
    )
    assert (own, dealt) == ({"dev": 8}, {"test": 4, "train": 4})


def test_training_questions_that_another_source_tests_are_left_out_where_that_is_asked(
    tmp_path, ingest_settings, ingested
):
    learnt = [question(1, split="train"), question(2, split="dev"), question(3, split="train")]
    write_lines(tmp_path / "a.jsonl", *learnt)
    tested = [question(number, question_id=f"t{number}", split="test") for number in (1, 2)]
    write_lines(tmp_path / "b.jsonl", *tested)
    settings = ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"})
    kept = ingested(settings)
    assert (kept.counts["questions"], [leak.question_id for leak in kept.leaks]) == (5, ["t1"])
    leakage = settings.leakage.model_copy(update={"drop_from_training": True})
    found = ingested(settings.model_copy(update={"leakage": leakage}))
    assert ([one.question_id for one in found.questions], found.leaks) == (["q3", "t1", "t2"], [])
    assert found.counts["rejected_by_reason"] == {"also a test question": 2}
    assert [line for line in found.rejects.splitlines() if "also" in line] == [
        "a,q1,also a test question,t1",
        "a,q2,also a test question,t2",
    ]


def test_counts_and_licences(tmp_path, ingest_settings, ingested):
    write_lines(
        tmp_path / "a.jsonl",
        {"passage_id": "p1", "text": " ".join(f"Gout {word} hurts." for word in "abcdefghijklmnopqrstuvwxyz")},
        question(1, gold_passage_ids=["p1"], split="train"),
        question(2, options=["MRI", "mri"]),
    )
    whole = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert {p.licence for p in whole.passages} == {q.licence for q in whole.questions} == {"MIT"}
    assert whole.counts == {
        "passages": 2,
        "questions": 1,
        "rejected": 1,
        "questions_with_gold": 1,
        "questions_by_split": {"train": 1},
        "questions_by_source": {"a": 1},
        "passages_by_source": {"a": 2},
        "rejected_by_reason": {"duplicated options": 1},
        "leaks": {},
        "repaired": {"passages": 0, "questions": 0},
        "rows_of_other_role": 0,
    }
