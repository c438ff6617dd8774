from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jmlr.data.rows import AMBIGUOUS, answer_index, clean, fault, letter_index, usable
from jmlr.types import Passage, Question, Rejected

GOOD = Question("q1", "Which test?", ("MRI", "ECG"), 1, "test")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"text": ""}, "question text missing"),
        ({"options": ("ECG",)}, "fewer than 2 options"),
        ({"options": tuple("abcdefghijk")}, "more than 10 options"),
        ({"options": ("MRI", "")}, "empty option"),
        ({"options": ("ECG", "ecg")}, "duplicated options"),
        ({"answer_index": -1}, "answer missing or not one of the options"),
        ({"answer_index": AMBIGUOUS}, "answer is one option's letter and another's text"),
        ({"answer_index": 2}, "answer missing or not one of the options"),
    ],
)
def test_fault_gives_the_reason(change, reason):
    assert fault(replace(GOOD, **change))[0] == reason


def test_unusable_question_is_rejected_with_file_and_row():
    rejected = usable(replace(GOOD, text=""), Path("a/q.csv"), 7)
    assert rejected == Rejected("a/q.csv", "7", "question text missing")
    assert usable(GOOD, Path("a/q.csv"), 8) is GOOD


def test_empty_passage_is_rejected():
    assert usable(Passage("p", ""), Path("p.jsonl"), 1) == Rejected("p.jsonl", "1", "passage text missing")


@pytest.mark.parametrize(
    ("answer", "index"), [("ecg", 1), (" A ", 0), ("(b)", 1), ("C", -1), ("CT", -1), (None, -1), (1, -1)]
)
def test_answer_index_takes_letter_or_text(answer, index):
    assert answer_index(answer, GOOD.options) == index


def test_letter_that_is_also_another_option_is_ambiguous():
    assert answer_index("B", ("B", "C")) == AMBIGUOUS
    assert answer_index("A", ("A", "C")) == 0
    assert letter_index("B", ("B", "C")) == 1


def test_clean_composes_characters():
    assert clean("Sjo\u0308gren\u00a0 syndrome") == "Sj\u00f6gren syndrome"
