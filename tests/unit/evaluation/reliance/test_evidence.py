from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.evaluation.evidence import (
    SCHEMA,
    Evidence,
    supports,
    without_each,
    write,
)
from jmlr.evaluation.reliance.support import summarise_evidence, top_supporting
from jmlr.settings import EvaluateSettings
from jmlr.types import Hit, Question


class WeighingReader:
    """Option 0 gains what each passage weighs; option 1 stays at 0. Remembers its calls."""

    def __init__(self, weights: Mapping[str, float], most: int = 9) -> None:
        self.weights, self.most, self.calls = weights, most, []

    def read(
        self, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]], progress: str = ""
    ) -> list[Answered]:
        self.calls.append([question.question_id for question in questions])
        return [self._answer(question, hits[question.question_id][: self.most]) for question in questions]

    def _answer(self, question: Question, hits: Sequence[Hit]) -> Answered:
        score = sum(self.weights[hit.passage_id] for hit in hits)
        share = 1 / (1 + math.exp(-score))
        names = tuple(hit.passage_id for hit in hits)
        return Answered(question.question_id, (score, 0.0), (share, 1 - share), tuple(hits), names)


def _question(name: str, *gold: str) -> Question:
    return Question(name, "?", ("a", "b"), 0, "test", gold_passage_ids=gold)


QUESTIONS = [_question("q1", "p1"), _question("q2"), _question("q3", "p9")]
HITS = {"q1": [Hit("p1", 9.0), Hit("p2", 8.0)], "q2": [Hit("p3", 7.0)], "q3": []}
WEIGHTS = {"p1": 2.0, "p2": -0.5, "p3": -1.0}


def _rows() -> list[Evidence]:
    reader = WeighingReader(WEIGHTS)
    return without_each(reader, QUESTIONS, reader.read(QUESTIONS, HITS), "rag")


def _sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def test_changes_by_hand() -> None:
    first, second, third = _rows()
    assert (first.question_id, first.passage_id, first.rank, first.gold, first.arm) == ("q1", "p1", 1, True, "rag")
    assert first.score_change_nats == pytest.approx(-2.0)
    assert first.probability_change == pytest.approx(_sigmoid(-0.5) - _sigmoid(1.5))
    assert first.flips
    assert (second.passage_id, second.rank, second.gold, second.flips) == ("p2", 2, False, False)
    assert second.score_change_nats == pytest.approx(0.5)
    assert second.probability_change == pytest.approx(_sigmoid(2.0) - _sigmoid(1.5))
    # q2 read one passage and chose option 1, whose own score does not move; closed book the two options are equal
    assert (third.question_id, third.gold, third.flips) == ("q2", None, True)
    assert third.score_change_nats == 0
    assert third.probability_change == pytest.approx(0.5 - _sigmoid(1.0))


def test_all_readings_in_one_call_with_their_own_ids() -> None:
    reader = WeighingReader(WEIGHTS)
    without_each(reader, QUESTIONS, reader.read(QUESTIONS, HITS), "rag")
    assert reader.calls[1:] == [["q1/without/p1", "q1/without/p2", "q2/without/p3"]]


def test_answers_in_another_order_give_the_same_rows() -> None:
    reader = WeighingReader(WEIGHTS)
    assert without_each(reader, QUESTIONS, reader.read(QUESTIONS, HITS)[::-1], "rag") == _rows()


def test_without_passages_there_is_no_evidence(evaluate: EvaluateSettings) -> None:
    reader = WeighingReader({})
    closed_book = reader.read(QUESTIONS, {question.question_id: [] for question in QUESTIONS})
    assert without_each(reader, QUESTIONS, closed_book, "closed_book") == []
    summary = summarise_evidence([], evaluate)
    assert summary["questions"] == 0
    assert [summary[name] for name in ("supported", "flipped", "precision", "first_is_gold", "recall")] == [None] * 5


def test_a_missing_answer_is_refused() -> None:
    with pytest.raises(DataError, match="arm rag, question q1: no answer"):
        without_each(WeighingReader(WEIGHTS), QUESTIONS, [], "rag")


def test_a_reader_that_reads_something_else_is_refused() -> None:
    answered = WeighingReader(WEIGHTS).read(QUESTIONS, HITS)
    with pytest.raises(DataError, match="arm rag, question q1: read nothing without p1; expected p2"):
        without_each(WeighingReader(WEIGHTS, most=0), QUESTIONS, answered, "rag")


def _row(question: str, passage: str, rank: int, change: float, gold: bool | None, flips: bool = False) -> Evidence:
    return Evidence(question, "rag", passage, rank, 2 * change, change, flips, gold)


MADE_UP = [
    _row("q1", "p1", 1, -0.40, True, flips=True),  # top, gold
    _row("q1", "p2", 2, -0.10, False),
    _row("q2", "p1", 1, -0.06, True),
    _row("q2", "p2", 2, -0.30, False),  # top, not gold
    _row("q2", "p3", 3, 0.20, True),  # gold, hinders
    _row("q3", "p1", 1, -0.01, True),  # nothing supports
    _row("q3", "p2", 2, 0.00, False),
    _row("q4", "p1", 1, -0.50, None, flips=True),  # gold unknown
    _row("q5", "p1", 1, -0.20, False),  # gold known but not read
]


def test_top_supporting_by_hand() -> None:
    top = {name: row and row.passage_id for name, row in top_supporting(MADE_UP).items()}
    assert top == {"q1": "p1", "q2": "p2", "q3": None, "q4": "p1", "q5": "p1"}


def test_of_equal_passages_the_better_ranked_is_top() -> None:
    rows = [_row("q1", "p2", 2, -0.3, False), _row("q1", "p1", 1, -0.3, True)]
    top = top_supporting(rows)["q1"]
    assert top is not None
    assert top.passage_id == "p1"


def test_summary_by_hand(evaluate: EvaluateSettings) -> None:
    summary = summarise_evidence(MADE_UP, evaluate)
    assert summary["questions"] == 5
    found = {name: (share["value"], share["questions"]) for name, share in summary.items() if isinstance(share, dict)}
    assert found == {
        "supported": (pytest.approx(4 / 5), 5),
        "flipped": (pytest.approx(2 / 5), 5),
        "precision": (pytest.approx(1 / 3), 3),  # q1 yes, q2 no, q5 no
        "first_is_gold": (pytest.approx(2 / 3), 3),
        "recall": (pytest.approx((1 + 1 / 2 + 0) / 3), 3),  # q1, q2, q3
    }
    assert summary["supported"]["low"] < summary["supported"]["value"] < summary["supported"]["high"]


def test_the_bound_decides_what_supports(evaluate: EvaluateSettings) -> None:
    assert supports(MADE_UP[2], 0.05)
    assert not supports(MADE_UP[2], 0.06)
    summary = summarise_evidence(MADE_UP, evaluate, bound=0.35)
    assert (summary["bound"], summary["supported"]["value"]) == (0.35, pytest.approx(2 / 5))
    assert (summary["precision"]["value"], summary["precision"]["questions"]) == (1.0, 1)


def test_the_order_of_rows_does_not_matter(evaluate: EvaluateSettings) -> None:
    assert summarise_evidence(MADE_UP[::-1], evaluate) == summarise_evidence(MADE_UP, evaluate)


def test_arms_are_not_mixed(evaluate: EvaluateSettings) -> None:
    rows = [MADE_UP[0], Evidence("q1", "jmlr", "p1", 1, 0, 0, False, True)]
    with pytest.raises(DataError, match="evidence of jmlr, rag; expected one arm at a time"):
        summarise_evidence(rows, evaluate)


def test_table_keeps_unknown_gold_apart(tmp_path: Path) -> None:
    write(tmp_path / "evidence.parquet", MADE_UP)
    table = pq.read_table(tmp_path / "evidence.parquet")
    assert table.schema.equals(SCHEMA)
    assert [Evidence(**row) for row in table.to_pylist()] == MADE_UP
