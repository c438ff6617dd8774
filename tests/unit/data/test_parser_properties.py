"""What holds of any input: parsers raise DataError alone, rows come back as written, chunks lose nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import string
import xml.etree.ElementTree as ElementTree

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jmlr.settings import SourceSettings
from jmlr.data.formats import FORMATS
from jmlr.data.rows import clean
from jmlr.data.tables import PASSAGE_SCHEMA, QUESTION_SCHEMA, REJECTED_SCHEMA
from jmlr.errors import DataError
from jmlr.types import Passage, Question, Rejected

QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)
THOROUGH = settings(QUICK, max_examples=120)
QUESTION = {
    "question_id": "q",
    "question": "Why?",
    "options": ["MRI", "ECG"],
    "answer": "ECG",
    "gold_passage_ids": ["p"],
}
MEDQA = {"question": "Why?", "options": {"A": "MRI", "B": "ECG"}, "answer_idx": "B", "meta_info": "step1"}
MIRAGE = {"question": "Why?", "options": {"A": "MRI", "B": "ECG"}, "answer": "B"}
MEDMCQA = {"id": "x", "question": "Why?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 2, "exp": "So."}
PUBMEDQA = {"QUESTION": "Why?", "CONTEXTS": ["One."], "LABELS": ["AIM"], "final_decision": "yes", "LONG_ANSWER": "So."}
RELEASED = [{"input": "Which? Options: A. MRI B. ECG", "output": "B", "doc": ["Gout hurts."]}]
SAMPLES = {
    "jsonl": ("a.jsonl", json.dumps(QUESTION) + "\n" + json.dumps({"passage_id": "p", "text": "Gout.", "title": "G"})),
    "text": ("a.md", "# Gout\n\nIt hurts.\n\n## Care\nRest."),
    "medquad": (
        "a.xml",
        '<Document source="x"><Focus>Gout</Focus><QAPairs><QAPair pid="1"><Question qtype="t">Why?</Question>'
        "<Answer>Gout is a painful arthritis of joints. Rest.</Answer></QAPair></QAPairs></Document>",
    ),
    "pubmedqa": ("ori_pqal.json", json.dumps({"1": PUBMEDQA})),
    "medqa": ("train.jsonl", json.dumps(MEDQA)),
    "medmcqa": ("train.json", json.dumps(MEDMCQA)),
    "mmlu": ("anatomy_test.csv", 'Why?,a,b,c,d,A\n"Which, if any?",1,2,3,4,D\n'),
    "mirage": ("benchmark.json", json.dumps({"mmlu": {"1": MIRAGE}})),
    "jmlr": ("train.json", json.dumps(RELEASED)),
}
SCHEMAS = {Passage: PASSAGE_SCHEMA, Question: QUESTION_SCHEMA, Rejected: REJECTED_SCHEMA}
KEYS = sorted(
    {*QUESTION, *MEDQA, *MEDMCQA, *PUBMEDQA, *RELEASED[0], "passage_id", "text", "title", "split", "answer_index"}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, "A", "B"]), inner, max_size=8),
    max_leaves=12,
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("raw")


def loaded(folder, data_format: str, content: bytes | str, name: str = "") -> list:
    path = folder / (name or SAMPLES[data_format][0])
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [*FORMATS[data_format].load(path, SourceSettings(path="x", format=data_format, licence="MIT"))]


def refused_or_fit_for_a_table(folder, data_format: str, content: bytes) -> None:
    """Any other error than DataError, or a row that no table takes, fails the test."""
    try:
        rows = loaded(folder, data_format, content)
    except DataError as error:
        assert str(folder) in str(error)  # noqa: PT017
        return
    for kind, schema in SCHEMAS.items():
        pa.Table.from_pylist([vars(row) for row in rows if isinstance(row, kind)], schema)


@st.composite
def damaged(draw, sample: bytes) -> bytes:
    """A sample with a few pieces replaced by other bytes."""
    for _ in range(draw(st.integers(1, 3))):
        start, stop = sorted((draw(st.integers(0, len(sample))), draw(st.integers(0, len(sample)))))
        stop = draw(st.sampled_from([start, stop, min(start + 1, stop)]))
        sample = (
            sample[:start]
            + draw(st.binary(max_size=4) | st.sampled_from([b"\\ud800", b'"', b"<", b"\0"]))
            + sample[stop:]
        )
    return sample


@pytest.mark.parametrize("data_format", SAMPLES)
def test_samples_are_right_before_they_are_damaged(folder, data_format):
    name, sample = SAMPLES[data_format]
    rows = loaded(folder, data_format, sample)
    assert rows
    assert not [row for row in rows if isinstance(row, Rejected)]


@pytest.mark.parametrize("data_format", SAMPLES)
@QUICK
@given(data=st.data())
def test_any_bytes_are_rows_or_a_data_error(folder, data_format, data):
    sample = SAMPLES[data_format][1].encode()
    refused_or_fit_for_a_table(folder, data_format, data.draw(st.binary(max_size=60) | damaged(sample)))


@THOROUGH
@given(row=VALUES, data_format=st.sampled_from(["jsonl", "medqa", "medmcqa", "jmlr", "mirage", "pubmedqa"]))
def test_any_json_is_rows_or_a_data_error(folder, row, data_format):
    whole = {"jmlr": [row], "mirage": {"d": {"1": row}}, "pubmedqa": {"1": row}}.get(data_format, row)
    refused_or_fit_for_a_table(folder, data_format, json.dumps(whole).encode())


@THOROUGH
@given(data=st.data(), data_format=st.sampled_from(["jsonl", "medqa", "medmcqa", "jmlr", "mirage", "pubmedqa"]))
def test_any_value_of_a_known_key_is_rows_or_a_data_error(folder, data, data_format):
    row = {"medqa": MEDQA, "mirage": MEDQA, "medmcqa": MEDMCQA, "pubmedqa": PUBMEDQA, "jmlr": RELEASED[0]}
    changed = {**row.get(data_format, QUESTION), data.draw(st.sampled_from(KEYS)): data.draw(VALUES)}
    whole = {"jmlr": [changed], "mirage": {"d": {"1": changed}}, "pubmedqa": {"1": changed}}.get(data_format, changed)
    refused_or_fit_for_a_table(folder, data_format, json.dumps(whole).encode())


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=6), st.sampled_from([".gz", ".zst", ""]))
def test_json_lines_come_back_compressed_or_not(folder, texts, suffix):
    rows = [{"passage_id": f"p{number}", "text": text, "title": text[::-1]} for number, text in enumerate(texts)]
    plain = "".join(json.dumps(row, ensure_ascii=len(row["text"]) % 2 == 0) + "\n" for row in rows).encode()
    packed = {".gz": gzip.compress, ".zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True)}.get(suffix, bytes)
    found = loaded(folder, "jsonl", packed(plain), f"a.jsonl{suffix}")
    for number, (row, text) in enumerate(zip(found, texts, strict=True)):
        if isinstance(row, Passage):
            assert (row.passage_id, row.text, row.title) == (f"p{number}", clean(text), clean(text[::-1]))
        else:
            assert (row.row, row.reason, clean(text)) == (str(number + 1), "passage text missing", "")


@pytest.mark.parametrize("data_format", SAMPLES)
def test_compressed_files_give_the_rows_of_plain_ones(folder, data_format):
    name, sample = SAMPLES[data_format]
    plain = loaded(folder, data_format, sample)
    assert loaded(folder, data_format, gzip.compress(sample.encode()), f"{name}.gz") == plain
    assert loaded(folder, data_format, pa.compress(sample.encode(), codec="zstd", asbytes=True), f"{name}.zst") == plain


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_paragraphs_come_back(folder, texts):
    paragraphs = [clean(text) for text in texts]
    assume(any(paragraphs) and not any(text.startswith(("#", "\ufeff")) for text in paragraphs))
    rows = loaded(folder, "text", "\n \n".join(paragraphs), "a.txt")
    found = [row.text for row in rows if isinstance(row, Passage)]
    assert found == [*dict.fromkeys(filter(None, paragraphs))]
    assert len(rows) == len([*filter(None, paragraphs)]), "a repeated one is told of"


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_no_word_of_a_markdown_table_or_list_is_lost(folder, texts):
    cells = [" ".join(re.findall(r"[^\W_]+", text)) for text in texts]
    assume(all(cells))
    table = f"| name | value |\n|---|---|\n{''.join(f'| {cell} | 1 |{chr(10)}' for cell in cells)}"
    shown = f"Title\n=====\n\n{table}\n{''.join(f'* {cell}{chr(10)}' for cell in cells)}"
    table_row, list_row = (row.text for row in loaded(folder, "text", shown))
    assert table_row == " ".join(f"name: {clean(cell)}; value: 1." for cell in cells)
    assert list_row == "; ".join(clean(cell) for cell in cells)


@QUICK
@given(st.lists(st.tuples(*[WORDS] * 5, st.sampled_from("ABCD")), min_size=1, max_size=5))
def test_csv_rows_come_back(folder, rows):
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    assume(written.getvalue().strip() and not rows[0][0].startswith("\ufeff"))
    found = loaded(folder, "mmlu", written.getvalue())
    assert len(found) == len(rows)
    for row, (text, *options, letter) in zip(found, rows, strict=True):
        if isinstance(row, Question):
            assert (row.text, row.options) == (clean(text), tuple(map(clean, options)))
            assert row.answer == clean(options["ABCD".index(letter)])
        else:
            folded = [clean(option).casefold() for option in options]
            assert not clean(text) or "" in folded or len(set(folded)) < 4


@QUICK
@given(WORDS, WORDS)
def test_xml_texts_come_back(folder, focus, answer):
    assume(not re.search(r"[\ufffe\uffff]", focus + answer))  # XML has no such characters
    document = ElementTree.Element("Document", source="x")
    ElementTree.SubElement(document, "Focus").text = focus
    pair = ElementTree.SubElement(ElementTree.SubElement(document, "QAPairs"), "QAPair", pid="1")
    ElementTree.SubElement(pair, "Question", qtype="t").text = "Why?"
    ElementTree.SubElement(pair, "Answer").text = answer
    passages = [row for row in loaded(folder, "medquad", ElementTree.tostring(document)) if isinstance(row, Passage)]
    assert [(row.title, row.text) for row in passages] == ([(clean(focus), clean(answer))] if clean(answer) else [])


LOWER = st.text(string.ascii_lowercase + " ", min_size=1, max_size=20).map(clean).filter(bool)


@QUICK
@given(LOWER, st.lists(LOWER, min_size=2, max_size=10, unique=True), st.data())
def test_released_form_comes_back(folder, text, options, data):
    right = data.draw(st.integers(0, len(options) - 1))
    shown = " ".join(f"{letter}. {option}" for letter, option in zip("ABCDEFGHIJ", options, strict=False))
    row = {"input": f"{text}? Options: {shown} Answer:", "output": f"{'ABCDEFGHIJ'[right]}.", "doc": [text]}
    passage, question = loaded(folder, "jmlr", json.dumps([row]))
    assert (passage.text, question.text) == (text, f"{text}?")
    assert (question.options, question.answer_index) == (tuple(options), right)
