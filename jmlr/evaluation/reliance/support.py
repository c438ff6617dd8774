"""How far answers rest on what was read: which passages support them, and whether those are the gold ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from jmlr.errors import DataError
from jmlr.evaluation.evidence import SUPPORT_BOUND, Evidence, supports
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings


def top_supporting(evidence: Sequence[Evidence], bound: float = SUPPORT_BOUND) -> dict[str, Evidence | None]:
    """Per question the passage whose loss costs the choice most, the better ranked of equals; None if none supports.

    >>> rows = [Evidence("q1", "rag", "p1", 1, -0.1, -0.1, False, True),
    ...         Evidence("q1", "rag", "p2", 2, -1.0, -0.6, True, False),
    ...         Evidence("q2", "rag", "p1", 1, 0.1, 0.02, False, True)]
    >>> {name: top and top.passage_id for name, top in top_supporting(rows).items()}
    {'q1': 'p2', 'q2': None}
    """
    top: dict[str, Evidence | None] = {}
    for question_id, rows in _by_question(evidence):
        best = min(rows, key=lambda row: (row.probability_change, row.rank))
        top[question_id] = best if supports(best, bound) else None
    return top


def _by_question(evidence: Sequence[Evidence]) -> Iterator[tuple[str, list[Evidence]]]:
    """The rows of each question, questions by id."""
    ordered = sorted(evidence, key=lambda row: (row.question_id, row.rank))
    for question_id, rows in groupby(ordered, key=lambda row: row.question_id):
        yield question_id, list(rows)


def summarise_evidence(
    evidence: Sequence[Evidence], settings: EvaluateSettings, bound: float = SUPPORT_BOUND
) -> dict[str, Any]:
    """How far one arm's answers rest on what was read, and whether on the gold passage.

    Returns:
        bound; questions (with a read passage); and shares {value, low, high, questions}, 0 to 1, or None without a
        question they could be taken over:
        supported, at least one passage supports the choice;
        flipped, at least one passage whose loss changes the choice;
        precision, the top supporting passage is gold (over supported questions with known gold);
        first_is_gold, the passage ranked first is gold (over the same questions, to compare with);
        recall, read gold passages that support (over questions that read one; the mean of their shares).

    Raises:
        DataError: if the rows are of more than one arm.
    """
    arms = sorted({row.arm for row in evidence})
    if len(arms) > 1:
        raise DataError(f"evidence of {', '.join(arms)}", expected="one arm at a time")
    values: dict[str, list[float]] = {name: [] for name in _SHARES}
    for rows, top in zip(
        (rows for _, rows in _by_question(evidence)), top_supporting(evidence, bound).values(), strict=True
    ):
        for name, value in _shares_of(rows, top, bound).items():
            values[name].append(value)
    return {
        "bound": bound,
        "questions": len(values["supported"]),
        **{name: _share(values[name], settings) for name in _SHARES},
    }


_SHARES = ("supported", "flipped", "precision", "first_is_gold", "recall")


def _shares_of(rows: Sequence[Evidence], top: Evidence | None, bound: float) -> dict[str, float]:
    """What one question adds to each share; it is not in a share it says nothing about."""
    found = {"supported": float(top is not None), "flipped": float(any(row.flips for row in rows))}
    if top is not None and top.gold is not None:
        found |= {"precision": float(top.gold), "first_is_gold": float(bool(rows[0].gold))}
    gold = [supports(row, bound) for row in rows if row.gold]
    return found | ({"recall": sum(gold) / len(gold)} if gold else {})


def _share(values: Sequence[float], settings: EvaluateSettings) -> dict[str, float | int] | None:
    if not values:
        return None
    found = mean_interval(np.array(values), settings)
    return {**found.bounds, "questions": found.questions}
