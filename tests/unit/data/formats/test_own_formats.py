"""JSON lines, text and the released JMLR form."""

from __future__ import annotations

import json
import re

import pytest

from jmlr.settings import SourceSettings
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
        ({"answer_index": 0}, "line 1: the index or letter names option A 'MRI', the answer is 'ECG'"),
    ],
)
def test_jsonl_faults_name_the_line(tmp_path, change, message, load):
    with pytest.raises(DataError, match=message):
        load(jsonl, write_lines(tmp_path / "q.jsonl", {**QUESTION, **change}), SOURCE)


OPTIONAL = {
    "passage": ("title", "source", "document_id", "section", "licence", "text"),
    "question": ("split", "source", "question_type", "subject", "licence", "rationale", "question", "answer"),
}


@pytest.mark.parametrize("missing", ["NaN", "null", '""'])
def test_jsonl_missing_values_are_those_of_a_row_without_the_key(tmp_path, missing, load):
    found, plain = [], []
    for kind, row in (("passage", {"passage_id": "p", "text": "Gout."}), ("question", QUESTION)):
        empty = {key: f"@{key}@" for key in OPTIONAL[kind] if key not in row}
        plain.append(json.dumps(row))
        found.append(re.sub(r'"@\w+@"', missing, json.dumps({**row, **empty})))
    # one table of both kinds has a column for every key
    found.append(f'{{"passage_id": "p2", "text": "It hurts.", "question": NaN, "options": NaN, "answer_index": NaN}}')
    plain.append('{"passage_id": "p2", "text": "It hurts."}')
    paths = [tmp_path / "a" / "x.jsonl", tmp_path / "b" / "x.jsonl"]
    for path, lines in zip(paths, (found, plain), strict=True):
        path.parent.mkdir()
        path.write_text("\n".join(lines))
    assert load(jsonl, paths[0], SOURCE) == load(jsonl, paths[1], SOURCE)


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in OPTIONAL.items() for key in keys])
@pytest.mark.parametrize("value", [0, 1.5, True, float("inf"), ["x"], {"x": "y"}])
def test_jsonl_optional_field_of_another_type_names_line_and_key(tmp_path, kind, key, value, load):
    row = {"passage_id": "p", "text": "Gout."} if kind == "passage" else QUESTION
    with pytest.raises(DataError, match=rf"q\.jsonl, line 1: field '{key}' is a {type(value).__name__}; expected a str"):
        load(jsonl, write_lines(tmp_path / "q.jsonl", {**row, key: value}), SOURCE)


def test_jsonl_option_and_gold_id_of_another_type_name_their_place(tmp_path, load):
    for change, name in (({"options": ["MRI", 5]}, r"options\[1\]"), ({"gold_passage_ids": [7]}, r"gold_passage_ids\[0\]")):
        with pytest.raises(DataError, match=rf"line 1: field '{name}' is a int.*\n  next: put it in quotes"):
            load(jsonl, write_lines(tmp_path / "q.jsonl", {**QUESTION, **change}), SOURCE)


def test_jsonl_options_that_are_letters(tmp_path, load):
    vitamins = {**QUESTION, "question": "Which is lacking in night blindness?", "options": ["C", "A", "D", "K"]}
    rows = [
        {**vitamins, "question_id": "1", "answer": "A", "answer_index": 1},  # text and index
        {**vitamins, "question_id": "2", "answer": "A", "answer_index": 0.0},  # letter and index; pandas' number
        {**vitamins, "question_id": "3", "answer": "A"},  # letter or text
        {**vitamins, "question_id": "4", "answer": "K"},  # no letter of the four
    ]
    loaded = load(jsonl, write_lines(tmp_path / "q.jsonl", *rows), SOURCE)
    assert [(q.question_id, q.answer) for q in loaded.questions] == [("1", "A"), ("2", "C"), ("4", "K")]
    (refused,) = loaded.rejected
    assert (refused.row, refused.reason) == ("3", "answer is one option's letter and another's text")
    assert "answer_index" in refused.detail
    with pytest.raises(DataError, match="names option D 'K', the answer is 'A'"):
        load(jsonl, write_lines(tmp_path / "q.jsonl", {**vitamins, "answer": "A", "answer_index": 3}), SOURCE)


def test_jsonl_key_that_comes_twice_is_an_error(tmp_path, load):
    path = tmp_path / "q.jsonl"
    path.write_text('{"passage_id": "p", "text": "One.", "text": "Two."}')
    with pytest.raises(DataError, match=r"line 1: key 'text' comes twice"):
        load(jsonl, path, SOURCE)


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


GUIDELINE = """\
---
title: "Gout 2024"
author: committee
---

# Gout
## Attack
Give [colchicine](https://x.org "drug") within 24 h.[^1]
### Contraindications
Never in:

- renal insuf-
  ficiency
- *pregnancy*

| Drug | Dose |
|------|-----:|
| Colchicine | 0.5 mg |
| Allopurinol | |

Renal failure
=============
> Halve the dose of beta-
> blockers and colchi-
> cine. A beta-blocker is low-
> and high-dose.

<!-- reviewer: delete -->
<b>Never</b> with BP < 90 &amp; fever.

```
CrCl = (140 - age)
```

<div onclick="x()">In a
box.<script>run()</script></div>

[^1]: see the label
"""


def test_markdown_is_read_as_people_write_it(tmp_path, load):
    path = tmp_path / "gout.md"
    path.write_text(GUIDELINE)
    loaded = load(text, path, SOURCE)
    assert {p.title for p in loaded.passages} == {"Gout 2024"}
    assert [(p.section, p.text) for p in loaded.passages] == [
        ("Attack", "Give colchicine within 24 h."),
        ("Contraindications", "Never in: renal insufficiency; pregnancy"),
        ("Contraindications", "Drug: Colchicine; Dose: 0.5 mg. Drug: Allopurinol."),
        ("Renal failure", "Halve the dose of beta-blockers and colchicine. A beta-blocker is low- and high-dose."),
        ("Renal failure", "Never with BP < 90 & fever."),
        ("Renal failure", "CrCl = (140 - age)"),
        ("Renal failure", "In a box."),
        ("Renal failure", "see the label"),
    ]


def test_plain_text_has_no_markup_but_headings(tmp_path, load):
    path = tmp_path / "gout.txt"
    path.write_text("# Gout\n\n    * p<0.05 and _x_ [a](b)\n---\n| a | b |\n\n1. a-\n2. b")
    assert [(p.section, p.text) for p in load(text, path, SOURCE).passages] == [
        ("Gout", "* p<0.05 and _x_ [a](b) --- | a | b |"),
        ("Gout", "1. a- 2. b"),
    ]


def test_what_a_text_file_has_no_passage_of_is_told(tmp_path, load):
    path = tmp_path / "gout.md"
    path.write_text("# Gout\n\n## Attack\n")
    assert [(row.row, row.reason, row.detail) for row in load(text, path, SOURCE).rejected] == [
        ("1", "file without a paragraph", "Gout")
    ]
    path.write_text("Rest.\n\nRest.\n")
    assert [(row.reason, row.detail) for row in load(text, path, SOURCE).rejected] == [("duplicated passage", "Rest.")]
    path.write_text(f"{'A long paragraph. ' * 9}\n---\nEnd.")  # dashes make a heading of what stands above them
    assert [p.text for p in load(text, path, SOURCE).passages] == [("A long paragraph. " * 9).strip(), "End."]


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
        (
            "Jaundice? A. Hepatitis A: acute B. Hepatitis B: chronic C. Leptospirosis",
            "Jaundice?",
            ("Hepatitis A: acute", "Hepatitis B: chronic", "Leptospirosis"),
        ),
        ("Which? A) gout B) Hepatitis A: acute, Hepatitis B: not", "Which?", ("gout", "Hepatitis A: acute, Hepatitis B: not")),
        ("Which? A. Hepatitis A. B. Hepatitis B. C. None", "Which?", ("Hepatitis A.", "Hepatitis B.", "None")),
        ("Type A. dissection. Best? A. Surgery B. Stent", "Type A. dissection. Best?", ("Surgery", "Stent")),
        ("Has A. fever B. rash C. cough. Which? A) flu B) gout", "Has A. fever B. rash C. cough. Which?", ("flu", "gout")),
        ("Blood group? A. A B. B C. AB D. O", "Blood group?", ("A", "B", "AB", "O")),
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
        ("B. MRI", -1),  # letter and text disagree
        ("A. ECG, because", -1),
        ("B. ECGs show it", 1),
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
