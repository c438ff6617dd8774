"""Which passages an answer rests on: each is left out in turn, and the question is read again.

A passage supports the choice if without it the chosen option is less probable. Source: erasure, Li et al. 2016
(arXiv 1612.08220); minus the probability's change is the comprehensiveness of ERASER (DeYoung et al. 2020,
arXiv 1911.03429) with one passage as rationale. Two limits: of passages that say the same none
may seem to support; and leaving one out moves the others, which alone may change a probability a little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from jmlr.answering.answered import Answered
from jmlr.data.tables import write_rows
from jmlr.errors import DataError
from jmlr.types import Hit, Question

SUPPORT_BOUND = 0.05
"""A passage supports the choice if leaving it out takes more than this from the choice's probability (0 to 1)."""


class Reading(Protocol):
    """What answers questions from given passages: an `Answerer`."""

    def read(
        self, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]], progress: str = ""
    ) -> list[Answered]:
        """Answers in the order of `questions`, each after reading its hits (by question id, best first)."""


@dataclass(frozen=True)
class Evidence:
    """What leaving out one read passage does to the answer.

    Attributes:
        question_id: of the question.
        arm: the arm that answered it.
        passage_id: of the passage left out.
        rank: its place among the read ones, from 1, best first.
        score_change_nats: log-likelihood a token of the chosen option without the passage minus with it.
        probability_change: the same of its probability, -1 to 1; below 0 the passage supports the choice.
        flips: whether another option is chosen without it.
        gold: whether it is a gold passage; None if the question has no known gold.
    """

    question_id: str
    arm: str
    passage_id: str
    rank: int
    score_change_nats: float
    probability_change: float
    flips: bool
    gold: bool | None


SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("arm", pa.string()),
        ("passage_id", pa.string()),
        ("rank", pa.int64()),
        ("score_change_nats", pa.float64()),
        ("probability_change", pa.float64()),
        ("flips", pa.bool_()),
        ("gold", pa.bool_()),
    ]
)
"""Columns of evidence.parquet, see `Evidence`; `gold` may be null."""


def write(path: Path, evidence: Sequence[Evidence]) -> None:
    """Writes evidence.parquet, one row a question, arm and read passage, in the order given."""
    write_rows(path, [asdict(row) for row in evidence], SCHEMA)


@dataclass(frozen=True)
class _Reduced:
    """A question to be read again without one of its passages: how it was answered, and what it is asked with now."""

    question: Question
    full: Answered
    dropped: str
    again: Question
    hits: list[Hit]


def without_each(
    reader: Reading, questions: Sequence[Question], answered: Sequence[Answered], arm: str, progress: str = ""
) -> list[Evidence]:
    """Reads every question again without each of its read passages, all in one call, so that batches are full.

    Costs one reading a read passage: with k read passages k times the reading of the questions. Where one passage was
    read, the reading without it is closed book. Questions answered without passages yield nothing.

    `questions`: what was asked; answers to other questions are left out. `answered`: its answers, each at most once.

    Returns:
        In the order of `questions`, then by rank.

    Raises:
        DataError: if a question has no answer, or the reader reads other passages than it is given.
    """
    reduced = list(_reduced(questions, {answer.question_id: answer for answer in answered}, arm))
    hits = {row.again.question_id: row.hits for row in reduced}
    again = reader.read([row.again for row in reduced], hits, progress)
    return [_compared(row, reading, arm) for row, reading in zip(reduced, again, strict=True)]


def _reduced(questions: Sequence[Question], answers: Mapping[str, Answered], arm: str) -> Iterator[_Reduced]:
    for question in questions:
        full = answers.get(question.question_id)
        if full is None:
            raise DataError(
                "no answer",
                expected="an answer to every question",
                where=f"arm {arm}, question {question.question_id}",
            )
        scores = {hit.passage_id: hit.score for hit in full.hits}
        for dropped in full.read_passage_ids:
            # Own ids, because hits are looked up by them.
            again = replace(question, question_id=f"{question.question_id}/without/{dropped}")
            kept = [Hit(name, scores.get(name, 0.0)) for name in full.read_passage_ids if name != dropped]
            yield _Reduced(question, full, dropped, again, kept)


def _compared(row: _Reduced, reading: Answered, arm: str) -> Evidence:
    expected = tuple(hit.passage_id for hit in row.hits)
    if reading.read_passage_ids != expected:
        raise DataError(
            f"read {', '.join(reading.read_passage_ids) or 'nothing'} without {row.dropped}",
            expected=", ".join(expected) or "nothing",
            where=f"arm {arm}, question {row.question.question_id}",
            next_step="give without_each the answerer, with the settings, that gave the answers",
        )
    full, chosen, gold = row.full, row.full.best_index, row.question.gold_passage_ids
    return Evidence(
        question_id=row.question.question_id,
        arm=arm,
        passage_id=row.dropped,
        rank=full.read_passage_ids.index(row.dropped) + 1,
        score_change_nats=reading.option_scores[chosen] - full.option_scores[chosen],
        probability_change=reading.option_probabilities[chosen] - full.option_probabilities[chosen],
        flips=reading.chosen_index != full.chosen_index,
        gold=row.dropped in gold if gold else None,
    )


def supports(row: Evidence, bound: float = SUPPORT_BOUND) -> bool:
    """Whether leaving the passage out takes more than `bound` from the choice's probability.

    >>> row = Evidence("q1", "rag", "p1", 1, -0.4, -0.2, False, True)
    >>> supports(row), supports(row, bound=0.2)
    (True, False)
    """
    return row.probability_change < -bound
