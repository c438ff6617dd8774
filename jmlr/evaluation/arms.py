"""All arms side by side: the mean of a metric for each, the differences of pairs, and the gap to the gold passage."""

from __future__ import annotations

from typing import Any

import numpy as np

from jmlr.evaluation.notation import GOLD_SUFFIX
from jmlr.evaluation.readings import Split
from jmlr.evaluation.statistics.accuracy import AnswerMetric, by_question, mean_interval, paired_difference

COMPARISONS = (
    ("jmlr", "rag"),
    ("rag", "closed_book"),
    ("jmlr", "closed_book"),
    ("jmlr", "jmlr_bm25"),
    ("jmlr", "jmlr_shuffled"),
    ("jmlr_shuffled", "closed_book"),
)
"""Pairs (first, second) whose difference first - second is reported."""


def means(split: Split, metric: AnswerMetric) -> dict[str, Any]:
    """Per arm the mean of a metric of single answers: {value, low, high, questions, no_answer}.

    `no_answer` counts the questions whose likeliest options are equally likely.
    """
    found = {}
    for arm in split.right:
        asked, answered = split.asked(arm), split.readings.answered[arm]
        mean = mean_interval(by_question(metric, asked, answered, arm), split.settings)
        ids = {question.question_id for question in split.questions}
        tied = sum(answer.chosen_index is None for answer in answered if answer.question_id in ids)
        found[arm] = {**mean.bounds, "questions": mean.questions, "no_answer": tied}
    return found


def differences(split: Split) -> dict[str, dict[str, float | int]]:
    """Per pair of COMPARISONS that was answered: {value, low, high, mcnemar_p, helped, hurt, unchanged}."""
    found: dict[str, dict[str, float | int]] = {}
    for first, second in COMPARISONS:
        if first in split.right and second in split.right:
            paired = paired_difference(split.right[first], split.right[second], split.settings)
            found[f"{first}_minus_{second}"] = paired.figures
    return found


def gap_closed(split: Split) -> float | None:
    """(jmlr - rag) / (gold - rag) on questions with a gold passage: 1 is as good as being handed that passage.

    None if an arm is missing, or if gold is not surely better than rag (the paired interval includes 0): a share of a
    distance that may be none says nothing.
    """
    right = split.right
    gold_arms = [arm for arm in right if arm.endswith(GOLD_SUFFIX)]
    if not gold_arms or "jmlr" not in right or "rag" not in right:
        return None
    has_gold = np.array([bool(question.gold_passage_ids) for question in split.questions])
    jmlr, rag = (right[arm][has_gold] for arm in ("jmlr", "rag"))
    gold = max((right[arm] for arm in gold_arms), key=lambda values: float(values.mean()))
    if paired_difference(gold, rag, split.settings).interval.low <= 0:
        return None
    return float((jmlr.mean() - rag.mean()) / (gold.mean() - rag.mean()))
