"""All arms side by side: the content of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.evaluation.notation import GOLD_SUFFIX, RANKING_LABELS, ordered_arms
from jmlr.evaluation.retrieval.rankings import measure_retrieval
from jmlr.evaluation.statistics.accuracy import mean_interval, outcomes, paired_difference
from jmlr.settings import Settings
from jmlr.types import Question

COMPARISONS = (
    ("jmlr", "rag"),
    ("rag", "closed_book"),
    ("jmlr", "closed_book"),
    ("jmlr", "jmlr_bm25"),
    ("jmlr", "jmlr_shuffled"),
    ("jmlr_shuffled", "closed_book"),
)
"""Pairs (first, second) whose difference first - second is reported."""

_DECIMALS = 6

AnsweredByArm = Mapping[str, Sequence[Answered]]
RankingsByName = Mapping[str, Mapping[str, Sequence[str]]]
_Right = dict[str, NDArray[np.bool_]]


def rounded(value: Any) -> Any:
    """The same nested value, floats at six decimals, so that equal results give equal files."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value


def _outcomes_by_arm(questions: Sequence[Question], answered: AnsweredByArm) -> _Right:
    """Per arm, whether it is right; a gold arm counts only on questions that have a gold passage."""
    with_gold = [question for question in questions if question.gold_passage_ids]
    right = {}
    for arm in ordered_arms(answered):
        asked = with_gold if arm.endswith(GOLD_SUFFIX) else questions
        if asked:
            right[arm] = outcomes(asked, answered[arm], arm)
    return right


def _without_answer(questions: Sequence[Question], answered: Sequence[Answered]) -> int:
    """Questions whose likeliest options are equally likely; they count as wrong."""
    ids = {question.question_id for question in questions}
    return sum(answer.chosen_index is None for answer in answered if answer.question_id in ids)


def _gap_closed(settings: Settings, questions: Sequence[Question], right: _Right) -> float | None:
    """(jmlr - rag) / (gold - rag) on questions with a gold passage: 1 is as good as being handed that passage.

    None if an arm is missing, or if gold is not surely better than rag (the paired interval holds 0): a share of a
    distance that may be none says nothing.
    """
    gold_arms = [arm for arm in right if arm.endswith(GOLD_SUFFIX)]
    if not gold_arms or "jmlr" not in right or "rag" not in right:
        return None
    has_gold = np.array([bool(question.gold_passage_ids) for question in questions])
    jmlr, rag = (right[arm][has_gold] for arm in ("jmlr", "rag"))
    gold = max((right[arm] for arm in gold_arms), key=lambda values: float(values.mean()))
    if paired_difference(gold, rag, settings.evaluate).interval.low <= 0:
        return None
    return float((jmlr.mean() - rag.mean()) / (gold.mean() - rag.mean()))


def _differences(settings: Settings, right: _Right) -> dict[str, dict[str, float | int]]:
    differences = {}
    for first, second in COMPARISONS:
        if first in right and second in right:
            paired = paired_difference(right[first], right[second], settings.evaluate)
            differences[f"{first}_minus_{second}"] = {
                **paired.interval.bounds,
                "mcnemar_p": paired.mcnemar_p,
                "helped": paired.helped,
                "hurt": paired.hurt,
                "unchanged": paired.unchanged,
            }
    return differences


def _summarise_split(
    settings: Settings, questions: Sequence[Question], answered: AnsweredByArm, rankings: RankingsByName
) -> dict[str, Any]:
    right = _outcomes_by_arm(questions, answered)
    intervals = {arm: mean_interval(values, settings.evaluate) for arm, values in right.items()}
    return {
        "questions": len(questions),
        "chance": sum(1 / len(question.options) for question in questions) / len(questions),
        "accuracy": {
            arm: {**found.bounds, "questions": found.questions, "no_answer": _without_answer(questions, answered[arm])}
            for arm, found in intervals.items()
        },
        "difference": _differences(settings, right),
        "gap_closed": _gap_closed(settings, questions, right),
        "retrieval": {
            name: measure_retrieval(questions, rankings[name], settings.evaluate.recall_at)
            for name in RANKING_LABELS
            if name in rankings
        },
    }


def summarise(
    settings: Settings, questions: Sequence[Question], answered: AnsweredByArm, rankings: RankingsByName
) -> dict[str, Any]:
    """The content of metrics.json: per evaluated split a nested dict of numbers in a stable order.

    Args:
        settings: gives splits, cutoffs of recall, resamples, level of intervals and the seed.
        questions: questions of any split; a split without questions is left out of the result.
        answered: per arm its answers. An arm may be missing; one that is there answers every evaluated question, or,
            if it is a `_gold` arm, every one with a gold passage (only those count for it).
        rankings: passage ids, best first, per question id, of each of notation.RANKING_LABELS; any may be missing.

    Returns:
        Per split: questions, chance (accuracy of guessing), accuracy per arm {value, low, high, questions, no_answer},
        difference per pair {value, low, high, mcnemar_p, helped, hurt, unchanged}, gap_closed (or None), and
        retrieval per ranking (see `measure_retrieval`). Shares are 0 to 1.

    Raises:
        DataError: if no split has questions, or answers or rankings do not fit the questions.
    """
    summary: dict[str, Any] = {}
    for split in settings.evaluate.splits:
        asked = [question for question in questions if question.split == split]
        if asked:
            summary[split] = rounded(_summarise_split(settings, asked, answered, rankings))
    if not summary:
        raise DataError(
            f"no question in the evaluated splits {', '.join(settings.evaluate.splits)}",
            expected="at least 1",
            next_step="look at build/ingest/counts.json; change evaluate.splits or ingest.test_fraction",
        )
    return summary
