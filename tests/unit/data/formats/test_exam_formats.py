"""MedQA, MedMCQA, MMLU, MIRAGE, PubMedQA: small files in the form their authors publish."""

from __future__ import annotations

import json

import pytest

from jmlr.settings import SourceSettings
from jmlr.data.formats import jmlr as released
from jmlr.data.formats import medmcqa, medqa, mirage, mmlu, pubmedqa
from jmlr.errors import DataError

SOURCE = SourceSettings(path="x", format="medqa", licence="MIT")
MEDQA = {
    "question": "Which?",
    "answer": "ECG",
    "options": {"A": "MRI", "B": "ECG"},
    "meta_info": "step1",
    "answer_idx": "B",
}
MEDMCQA = {
    "question": "Which?",
    "cop": 2,
    "opa": "1",
    "opb": "2",
    "opc": "3",
    "opd": "4",
    "id": "u1",
    "choice_type": "single",
}
PUBMEDQA = {
    "QUESTION": "Does it?",
    "CONTEXTS": ["Why. ", "So."],
    "LABELS": ["AIM", "RESULTS"],
    "final_decision": "maybe",
}


def write(path, value) -> object:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_medqa(tmp_path, load):
    (question,) = load(medqa, write(tmp_path / "phrases_no_exclude_test.jsonl", MEDQA), SOURCE).questions
    assert (question.text, question.options, question.answer, question.split) == (
        "Which?",
        ("MRI", "ECG"),
        "ECG",
        "test",
    )
    assert question.question_id.startswith("medqa:")


def test_medqa_without_options_names_the_line(tmp_path, load):
    row = {key: value for key, value in MEDQA.items() if key != "options"}
    with pytest.raises(DataError, match=r"test\.jsonl, line 1: no field 'options'"):
        load(medqa, write(tmp_path / "test.jsonl", row), SOURCE)


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"answer_idx": "b"}, "ECG"),
        ({"answer": "b"}, "ECG"),
        ({"answer": None}, "ECG"),
        ({"options": [{"key": "A", "value": "MRI"}, {"key": "B", "value": "ECG"}]}, "ECG"),
        ({"options": {"A": "MRI", "B": "ECG", "C": None}}, "ECG"),
    ],
)
def test_medqa_as_it_is_found(tmp_path, change, answer, load):
    (question,) = load(medqa, write(tmp_path / "test.jsonl", {**MEDQA, **change}), SOURCE).questions
    assert (question.answer, question.options) == (answer, ("MRI", "ECG"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer_idx": "A"}, "line 1: the index or letter names option A 'MRI', the answer is 'ECG'"),
        ({"answer": "CT"}, "names option B 'ECG', the answer is 'CT'; expected the same option"),
        ({"options": {"A": "MRI", "C": "ECG"}}, "line 1: options A, C; expected options A, B, C"),
        ({"options": {"A": "MRI", "B": 5}}, "line 1: field 'B' is a int"),
        ({"meta_info": ["step1"]}, "line 1: field 'meta_info' is a list"),
    ],
)
def test_medqa_that_contradicts_itself_is_an_error(tmp_path, change, message, load):
    with pytest.raises(DataError, match=message):
        load(medqa, write(tmp_path / "test.jsonl", {**MEDQA, **change}), SOURCE)


@pytest.mark.parametrize(
    ("data_format", "name", "row"),
    [
        (medqa, "test.jsonl", MEDQA),
        (medmcqa, "dev.json", MEDMCQA),
        (mirage, "benchmark.json", {"d": {"1": {"question": "Which?", "options": {"A": "x", "B": "y"}, "answer": "B"}}}),
        (pubmedqa, "ori_pqal.json", {"1": PUBMEDQA}),
        (released, "train.json", [{"input": "Which? A. MRI B. ECG", "output": "B", "doc": ["Gout."]}]),
    ],
)
def test_key_that_is_not_read_is_told(tmp_path, data_format, name, row, load):
    text = json.dumps(row)
    assert not load(data_format, write(tmp_path / name, text), SOURCE).rejected
    inner = max(text.rindex('{"question"') if '{"question"' in text else 0, text.find('{"input"'), text.find('{"QUES'))
    (told,) = load(data_format, write(tmp_path / name, f'{text[: inner + 1]}"hint": "x", {text[inner + 1 :]}'), SOURCE).rejected
    assert (told.row, told.reason, told.detail) == ("1 rows", "key that is not read", "hint")


@pytest.mark.parametrize("key", ["choice_type", "subject_name", "exp", "opb"])
def test_medmcqa_optional_fields_are_texts(tmp_path, key, load):
    write(tmp_path / "dev.json", json.dumps({**MEDMCQA, key: "@"}).replace('"@"', "NaN"))
    loaded = load(medmcqa, tmp_path / "dev.json", SOURCE)
    if key == "opb":
        assert [row.reason for row in loaded.rejected] == ["empty option"]
    else:
        (question,) = loaded.questions
        assert "nan" not in (question.question_type, question.subject, question.rationale)
    with pytest.raises(DataError, match=rf"line 1: field '{key}' is a int"):
        load(medmcqa, write(tmp_path / "dev.json", {**MEDMCQA, key: 3}), SOURCE)


def test_medmcqa_counts_from_one(tmp_path, load):
    (question,) = load(medmcqa, write(tmp_path / "train.json", MEDMCQA), SOURCE).questions
    assert (question.question_id, question.answer, question.split) == ("medmcqa:u1", "2", "train")


@pytest.mark.parametrize("change", [{"cop": -1}, {"cop": None}])
def test_medmcqa_unlabelled_rows_are_rejected(tmp_path, change, load):
    loaded = load(medmcqa, write(tmp_path / "test.json", {**MEDMCQA, **change}), SOURCE)
    assert not loaded.questions
    assert [row.reason for row in loaded.rejected] == ["answer missing or not one of the options"]


@pytest.mark.parametrize("cop", [0, 5, "2", True])
def test_medmcqa_that_counts_otherwise_is_an_error(tmp_path, cop, load):
    with pytest.raises(DataError, match=r"dev\.json, line 1: cop is .*expected 1 to 4"):
        load(medmcqa, write(tmp_path / "dev.json", {**MEDMCQA, "cop": cop}), SOURCE)


def test_mmlu_takes_subject_and_split_from_the_name(tmp_path, load):
    path = write(tmp_path / "val" / "clinical_knowledge_val.csv", '"Which, of\nthese?",a,b,c,d,C\nAnd?,a,b,b,d,A\n')
    loaded = load(mmlu, path, SOURCE)
    (question,) = loaded.questions
    assert (question.text, question.answer, question.subject, question.split) == (
        "Which, of these?",
        "c",
        "clinical knowledge",
        "dev",
    )
    assert [(row.row, row.reason) for row in loaded.rejected] == [("3", "duplicated options")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("Which?,a,b,c,d,C\nAnd?,a,b,c,D\n", r"line 2: 5 columns; expected 6"), ('"Which?" x,a,b,c,d,C\n', "broken CSV")],
)
def test_mmlu_broken_rows_are_named(tmp_path, text, message, load):
    with pytest.raises(DataError, match=message):
        load(mmlu, write(tmp_path / "anatomy_test.csv", text), SOURCE)


def test_mirage_is_nested_and_all_test(tmp_path, load):
    rows = {"question": "Which?", "options": {"B": "no", "A": "yes"}, "answer": "B"}
    value = {"pubmedqa": {"123": rows}, "mmlu": {"anatomy-1": {**rows, "answer": "E"}}}
    loaded = load(mirage, write(tmp_path / "benchmark.json", value), SOURCE)
    (question,) = loaded.questions
    assert (question.question_id, question.options, question.answer, question.split) == (
        "mirage:pubmedqa:123",
        ("yes", "no"),
        "no",
        "test",
    )
    assert loaded.rejected[0].row == "mmlu/anatomy-1"


def test_mirage_of_another_form_is_an_error(tmp_path, load):
    with pytest.raises(DataError, match="medqa/0: field 'row' is a str"):
        load(mirage, write(tmp_path / "benchmark.json", {"medqa": {"0": "x"}}), SOURCE)


def test_pubmedqa_sections_are_passages_and_published_test_ids_hold(tmp_path, load):
    write(tmp_path / "test_ground_truth.json", {"2": "maybe"})
    unlabelled = {**PUBMEDQA, "final_decision": None}
    loaded = load(pubmedqa, write(tmp_path / "ori_pqal.json", {"1": PUBMEDQA, "2": PUBMEDQA, "3": unlabelled}), SOURCE)
    assert [(p.passage_id, p.section, p.text) for p in loaded.passages[:2]] == [
        ("pubmedqa:1:1", "AIM", "Why."),
        ("pubmedqa:1:2", "RESULTS", "So."),
    ]
    assert [(q.question_id, q.split, q.answer) for q in loaded.questions] == [
        ("pubmedqa:1", "", "maybe"),
        ("pubmedqa:2", "test", "maybe"),
    ]
    assert loaded.questions[1].gold_passage_ids == ("pubmedqa:2:1", "pubmedqa:2:2")
    assert loaded.rejected[0].row == "3"


def test_pubmedqa_test_id_without_a_question_is_told(tmp_path, load):
    write(tmp_path / "test_ground_truth.json", {"1": "maybe", "8": "yes"})
    (told,) = load(pubmedqa, write(tmp_path / "ori_pqal.json", {"1": PUBMEDQA}), SOURCE).rejected
    assert (told.row, told.reason, told.detail) == ("8", "test id without a question", "test_ground_truth.json")
    assert not load(pubmedqa, write(tmp_path / "ori_pqau.json", {"3": PUBMEDQA}), SOURCE).rejected


def test_pubmedqa_published_truth_that_says_otherwise_is_an_error(tmp_path, load):
    write(tmp_path / "test_ground_truth.json", {"2": "yes"})
    with pytest.raises(DataError, match=r"ori_pqal\.json, 2: .*names option C 'maybe', the answer is 'yes'"):
        load(pubmedqa, write(tmp_path / "ori_pqal.json", {"2": PUBMEDQA}), SOURCE)


def test_pubmedqa_with_fewer_labels_than_sections_is_an_error(tmp_path, load):
    with pytest.raises(DataError, match=r"ori_pqal\.json, 1: 2 CONTEXTS and 1 LABELS"):
        load(pubmedqa, write(tmp_path / "ori_pqal.json", {"1": {**PUBMEDQA, "LABELS": ["AIM"]}}), SOURCE)
