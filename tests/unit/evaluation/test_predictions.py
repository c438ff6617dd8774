from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.evaluation import predictions
from jmlr.evaluation.readings import Readings
from jmlr.types import Hit, Question

QUESTION = Question("q1", "Which test?", ("MRI", "ECG"), 1, "test", "s", "confirmatory test", "Gout", ("p2",))
ANSWER = Answered("q1", (-1.0, -2.0), (0.73, 0.27), (Hit("p2", 9.5), Hit("p1", 8.0)), ("p2",))

READINGS = Readings(
    {"rag": [ANSWER]}, choices={"rag": {"q1": (0, 1)}}, said={"rag": {"q1": "ECG"}}, strict={"rag": {"q1": 1}}
)


def test_one_row_holds_question_answer_and_evidence(tmp_path: Path) -> None:
    predictions.write(tmp_path / "deep" / "predictions.parquet", [QUESTION], READINGS)
    assert pq.read_table(tmp_path / "deep" / "predictions.parquet").to_pylist() == [
        {
            "question_id": "q1",
            "arm": "rag",
            "split": "test",
            "subject": "Gout",
            "question_type": "confirmatory test",
            "text": "Which test?",
            "options": ["MRI", "ECG"],
            "answer_index": 1,
            "chosen_index": 0,
            "answer": "ECG",
            "chosen": "MRI",
            "correct": False,
            "option_scores": [-1.0, -2.0],
            "option_probabilities": [0.73, 0.27],
            "chosen_by_order": [0, 1],
            "said": "ECG",
            "said_index": 1,
            "gold_passage_ids": ["p2"],
            "read_passage_ids": ["p2"],
            "hit_passage_ids": ["p2", "p1"],
            "hit_scores": [9.5, 8.0],
        }
    ]


def test_a_row_for_every_question_and_arm_and_the_same_bytes_twice(tmp_path: Path, make: Callable[[int], Any]) -> None:
    made = make(30)
    for name in ("a", "b"):
        predictions.write(tmp_path / name, made.questions, Readings(made.answered))
    table = pq.read_table(tmp_path / "a")
    assert table.num_rows == 5 * 30
    assert table.schema.equals(predictions.SCHEMA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_no_answers_give_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    predictions.write(tmp_path / "predictions.parquet", [QUESTION], Readings())
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert (table.num_rows, table.schema.names) == (0, predictions.SCHEMA.names)


def test_an_answer_to_an_unknown_question_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="arm rag, question q1: an answer to an unknown question"):
        predictions.write(tmp_path / "predictions.parquet", [], READINGS)
    assert list(tmp_path.iterdir()) == []
