"""How far answers lean on passages that are to go."""

from __future__ import annotations

import pytest

from jmlr.data.tables import write_rows
from jmlr.errors import DataError
from jmlr.evaluation import evidence, predictions
from jmlr.evaluation.evidence import Evidence
from jmlr.evaluation.reliance.answers import Leaning, lean, leanings


def row(question: str, passage: str, rank: int, change: float, flips: bool = False, arm: str = "jmlr") -> Evidence:
    return Evidence(question, arm, passage, rank, change, change, flips, None)


ROWS = [
    row("q1", "p1", 1, -0.6, flips=True),
    row("q1", "p2", 2, -0.1),
    row("q2", "p2", 1, -0.01),
    row("q2", "p3", 2, -0.7, flips=True),
    row("q3", "p1", 1, -0.2, flips=True),
    row("q3", "p2", 2, -0.4, flips=True),
    row("q4", "p4", 1, -0.9),
]


def test_who_read_it_rests_on_it_and_changes_without_it():
    assert lean(ROWS, {"q1", "q2"}, {"p1", "p2"}) == Leaning(
        arm="jmlr",
        questions=4,
        read=("q1", "q2", "q3"),
        supported=("q1", "q3"),
        flips=("q1", "q3"),
        right_lost=("q1",),
        several=("q1", "q3"),
    )


def test_a_passage_that_nobody_read_changes_nothing():
    found = lean(ROWS, {"q1"}, {"p9"})
    assert (found.questions, found.read, found.supported, found.flips, found.several) == (4, (), (), (), ())


def test_every_arm_with_evidence_is_told(tmp_path):
    evidence.write(tmp_path / "evidence.parquet", [*ROWS, row("q1", "p1", 1, -0.5, flips=True, arm="rag")])
    right = [
        {"question_id": "q1", "arm": "jmlr", "correct": True},
        {"question_id": "q1", "arm": "rag", "correct": False},
    ]
    empty = {field.name: None for field in predictions.SCHEMA}
    write_rows(tmp_path / "predictions.parquet", [{**empty, **one} for one in right], predictions.SCHEMA)
    assert [(one.arm, one.flips, one.right_lost) for one in leanings(tmp_path, ["p1"])] == [
        ("jmlr", ("q1", "q3"), ("q1",)),
        ("rag", ("q1",), ()),
    ]


def test_an_evaluation_without_tables_is_told(tmp_path):
    with pytest.raises(DataError, match=r"(?s)evidence\.parquet: no such table.*dvc repro evaluate"):
        leanings(tmp_path, ["p1"])
