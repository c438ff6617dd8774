"""Options in every order: choices come back as places in the question's own order."""

from __future__ import annotations

import dataclasses

import pytest

from jmlr.answering.answered import Answered
from jmlr.answering.option_orders import read_in_every_order, rotated
from jmlr.types import Question

ASKED = Question("q1", "Which?", ("MRI", "ECG", "CT", "EEG"), 2, "test")


class Reader:
    """Stands where the answerer is: chooses by a rule that sees the options as they are shown."""

    def __init__(self, rule):
        self.rule, self.asked = rule, []

    def read(self, questions, hits, progress=""):
        self.asked += questions
        found = [self.rule(question.options) for question in questions]
        rows = [[float(place == chosen) for place in range(4)] for chosen in found]
        return [Answered(q.question_id, tuple(row), tuple(row)) for q, row in zip(questions, rows, strict=True)]


@pytest.mark.parametrize("shift", range(4))
def test_the_answer_moves_with_the_options(shift):
    moved = rotated(ASKED, shift)
    assert moved.answer == "CT"
    assert sorted(moved.options) == sorted(ASKED.options)
    assert rotated(ASKED, 0).options == ASKED.options


def test_a_reader_of_the_text_chooses_the_same_option_in_every_order():
    reader = Reader(lambda options: options.index("CT"))
    assert read_in_every_order(reader, [ASKED], {"q1": []}) == {"q1": (2, 2, 2, 2)}
    assert len({question.question_id for question in reader.asked}) == 4


def test_a_reader_of_the_place_chooses_another_option_in_each():
    found = read_in_every_order(Reader(lambda options: 0), [ASKED], {"q1": []})
    assert found == {"q1": (0, 1, 2, 3)}


def test_questions_of_other_sizes_do_not_mix():
    two = dataclasses.replace(ASKED, question_id="q2", options=("yes", "no"), answer_index=0)
    reader = Reader(lambda options: 1)
    assert read_in_every_order(reader, [ASKED, two], {"q1": [], "q2": []}) == {"q1": (1, 2, 3, 0), "q2": (1, 0)}
