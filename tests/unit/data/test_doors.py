"""A text comes in by many doors, and the models see one form of it: the one that ingest makes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from jmlr.settings import params
from jmlr.settings import SourceSettings
from jmlr.data.formats import FORMATS
from jmlr.data.repair import repaired_question
from jmlr.data.rows import as_ingested
from jmlr.errors import JmlrError
from jmlr.registry.version.rows import questions_of
from jmlr.serving.asked import parse_json, read_asked
from jmlr.commands.serve import ask

TEXT = "A  patient has\u00a0Me\u0301nie\u0300re,\n K &lt; 3 and the patient\u00e2\u20ac\u2122s ear\u200b rings?"
OPTIONS = ["vitamin  C", "\ufb01brate &amp; \u00b5g"]


@pytest.fixture(scope="module")
def settings(repository):
    return params.load(repository / "params.yaml")


@pytest.fixture
def ingested(tmp_path):
    """What ingest makes of text and options."""
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps({"question_id": "q", "question": TEXT, "options": OPTIONS, "answer": "A"}) + "\n", encoding="utf-8")
    source = SourceSettings(path="asked.jsonl", format="jsonl", licence="CC0")
    (row,) = FORMATS["jsonl"].load(file, source)
    question = repaired_question(row)
    return question.text, question.options


def by_api(body, settings) -> tuple:
    question = read_asked(parse_json(json.dumps(body).encode()), settings.serve).question
    return question.text, question.options


def by_table(body, _) -> tuple:
    (question,) = questions_of(pd.DataFrame([body]))
    return question.text, question.options


@pytest.mark.parametrize("door", [by_api, by_table])
def test_every_door_makes_what_ingest_makes(ingested, door, settings):
    assert ingested[0] == "A patient has M\u00e9ni\u00e8re, K < 3 and the patient\u2019s ear rings?"
    assert door({"question": TEXT, "options": OPTIONS}, settings) == ingested


def test_the_command_line_is_such_a_door(ingested, monkeypatch, settings):
    asked = []

    class Answerer:
        @classmethod
        def load(cls, *_):
            return cls()

        def answer(self, questions):
            asked.extend(questions)
            raise KeyboardInterrupt

    monkeypatch.setattr("jmlr.answering.answerer.Answerer", Answerer)
    with pytest.raises(KeyboardInterrupt):
        ask.run(settings, TEXT, OPTIONS)
    assert [(question.text, question.options) for question in asked] == [ingested]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("?", ["MRI"], r"fewer than 2 options \(1\)"),
        ("?", ["MRI", "mri "], r"duplicated options \(mri\)"),
        (" \u200b", ["MRI", "ECG"], "question text missing"),
        ("?", list("abcdefghijk"), r"more than 10 options \(11\)"),
        ("half \udce9", ["MRI", "ECG"], "half a character at place 5"),
    ],
)
def test_what_cannot_be_asked_is_told_before_a_model_is_loaded(settings, text, options, told):
    with pytest.raises(JmlrError, match=f"(?s)jmlr ask: {told}; expected a question and 2 to 10 options.*--option"):
        ask.run(settings, text, options)


def test_a_text_that_is_right_stays_as_it_is():
    assert as_ingested(as_ingested(TEXT)) == as_ingested(TEXT)
    assert as_ingested("\u75db\u98ce \U0001f9b6 \u0646\u0642\u0631\u0633?") == "\u75db\u98ce \U0001f9b6 \u0646\u0642\u0631\u0633?"
