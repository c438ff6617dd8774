"""JSON lines, text and the released JMLR form."""

from __future__ import annotations

import json

import pytest

from jmlr.config import SourceSettings
from jmlr.data.formats import jmlr as released
from jmlr.data.formats import jsonl, text
from jmlr.errors import DataError

SOURCE = SourceSettings(path="x", format="jsonl", licence="MIT")
QUESTION = {"question_id": "q1", "question": "Which?", "options": ["MRI", "ECG"], "answer": "ECG"}


def write_lines(path, *rows: dict):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_jsonl_takes_passages_and_questions(tmp_path, load):
    path = write_lines(
        tmp_path / "mine.jsonl",
        {"passage_id": "p1", "text": "Gout  hurts.", "title": "Gout"},
        {**QUESTION, "split": "dev", "subject": "Gout", "gold_passage_ids": ["p1"]},
    )
    loaded = load(jsonl, path, SOURCE)
    (passage,), (question,) = loaded.passages, loaded.questions
    assert (passage.text, passage.source, passage.licence) == ("Gout hurts.", "mine", "MIT")
    assert (question.answer, question.split, question.gold_passage_ids) == ("ECG", "dev", ("p1",))


@pytest.mark.parametrize(
    "answer", [{"answer": "B"}, {"answer": "ecg"}, {"answer_index": 1}, {"answer_index": 1, "answer": "b"}]
)
def test_jsonl_answer_is_letter_text_or_index(tmp_path, answer, load):
    row = {key: value for key, value in QUESTION.items() if key != "answer"}
    assert load(jsonl, write_lines(tmp_path / "q.jsonl", {**row, **answer}), SOURCE).questions[0].answer == "ECG"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gold_passage_id": ["p1"]}, r"line 1: unknown key\(s\) gold_passage_id"),
        ({"split": "tset"}, "line 1: split 'tset'; expected one of train, dev, test, test_seen"),
        ({"options": "MRI"}, "line 1: field 'options' is a str"),
        ({"answer_index": 0}, "line 1: answer_index 0 is not answer 'ECG'"),
    ],
)
def test_jsonl_faults_name_the_line(tmp_path, change, message, load):
    with pytest.raises(DataError, match=message):
        load(jsonl, write_lines(tmp_path / "q.jsonl", {**QUESTION, **change}), SOURCE)


def test_jsonl_row_that_is_neither_is_an_error(tmp_path, load):
    with pytest.raises(DataError, match="no field 'passage_id'"):
        load(jsonl, write_lines(tmp_path / "q.jsonl", {"text": "Gout."}), SOURCE)


def test_text_paragraphs_are_passages_under_their_headings(tmp_path, load):
    path = tmp_path / "gout_guide.md"
    path.write_text("# Gout\n\nIt hurts\nmuch.\r\n\r\n## Treatment\nColchicine.\n\n\nColchicine.\n")
    loaded = load(text, path, SOURCE)
    assert [(p.title, p.section, p.text) for p in loaded.passages] == [
        ("Gout", "Gout", "It hurts much."),
        ("Gout", "Treatment", "Colchicine."),
    ]


def test_text_ids_stay_when_a_paragraph_is_put_before(tmp_path, load):
    path = tmp_path / "gout_guide.txt"
    path.write_text("It hurts.")
    before = load(text, path, SOURCE).passages[0]
    path.write_text("New.\n\nIt hurts.")
    assert load(text, path, SOURCE).passages[1] == before
    assert before.title == "gout guide"


@pytest.mark.parametrize(
    ("raw", "question", "options"),
    [
        ("Which test? A. MRI B. ECG C. CT", "Which test?", ("MRI", "ECG", "CT")),
        ("Which test?\nOptions:\n(A) MRI\n(B) ECG\nAnswer:", "Which test?", ("MRI", "ECG")),
        ("He has hepatitis A. What now? A) rest B) run", "He has hepatitis A. What now?", ("rest", "run")),
        ("Vitamin B. deficiency?", "Vitamin B. deficiency?", ()),
    ],
)
def test_options_of_the_released_form_are_found(raw, question, options):
    assert released.parse_input(" ".join(raw.split())) == (question, options)


@pytest.mark.parametrize(
    ("output", "index"),
    [
        ("B", 1),
        ("B. ECG, because", 1),
        ("(B)", 1),
        ("Answer: B. ECG", 1),
        ("The answer is ECG.", 1),
        ("ecg", 1),
        ("A fever", -1),  # an article, not a letter
        ("D. CT", -1),
    ],
)
def test_answers_of_the_released_form_are_found(output, index):
    assert released.parse_output(output, ("MRI", "ECG")) == index


def test_released_form_rejects_rows_without_options(tmp_path, load):
    rows = [
        {"input": "Which? A. MRI B. ECG", "output": "B", "doc": ["Gout hurts.", "Rest helps."]},
        {"input": "Explain gout.", "output": "It hurts.", "doc": ["Gout hurts."]},
        {"input": "Which one? A. MRI B. ECG", "output": "Neither", "doc": []},
    ]
    path = tmp_path / "medqa_train.json"
    path.write_text(json.dumps(rows))
    loaded = load(released, path, SOURCE)
    assert [p.text for p in loaded.passages] == ["Gout hurts.", "Rest helps."]
    assert [(q.answer, q.split, q.gold_passage_ids) for q in loaded.questions] == [("ECG", "train", ())]
    assert [(row.row, row.reason) for row in loaded.rejected] == [
        ("2", "no options found in input"),
        ("3", "answer missing or not one of the options"),
    ]


def test_released_form_names_the_row_of_another_form(tmp_path, load):
    path = tmp_path / "x.json"
    path.write_text('[{"input": "Which?"}]')
    with pytest.raises(DataError, match=r"x\.json, row 1: no field 'output'"):
        load(released, path, SOURCE)
