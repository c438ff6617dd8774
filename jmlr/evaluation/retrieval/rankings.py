"""How well a ranking finds the gold passages: over all questions, and for each type of question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jmlr.errors import DataError
from jmlr.evaluation.groups.subgroups import MAX_GROUPS, SMALL_BELOW
from jmlr.evaluation.groups.vignette import UNKNOWN
from jmlr.types import Question

NDCG_DEPTH = 10
COMPARED = ("before", "after")
"""Rankings that are reported by question type: what joint training changes. `retrieval` has the others."""

RankingMetric = Callable[[Sequence[str], Sequence[str]], float]
"""A metric of a ranking: of passage ids, best first, and the gold ones."""


def _gold_ranks(ranking: Sequence[str], gold: Sequence[str]) -> list[int]:
    """Ranks (from 1) of the gold passages, ascending."""
    wanted = set(gold)
    return [rank for rank, passage_id in enumerate(ranking, start=1) if passage_id in wanted]


def success_at(k: int, ranking: Sequence[str], gold: Sequence[str]) -> float:
    """1 if at least one gold passage is among the first `k`, else 0 (one such passage is enough to answer).

    >>> success_at(1, ["p3", "p1"], ["p1"]), success_at(2, ["p3", "p1"], ["p1", "p9"])
    (0.0, 1.0)
    """
    return float(any(rank <= k for rank in _gold_ranks(ranking, gold)))


def recall_at(k: int, ranking: Sequence[str], gold: Sequence[str]) -> float:
    """The share of the gold passages that are among the first `k`; with one gold passage it is `success_at`.

    >>> recall_at(1, ["p3", "p1"], ["p1"]), recall_at(2, ["p3", "p1"], ["p1", "p9"])
    (0.0, 0.5)
    """
    return sum(rank <= k for rank in _gold_ranks(ranking, gold)) / len(set(gold))


def reciprocal_rank(ranking: Sequence[str], gold: Sequence[str]) -> float:
    """1 / rank of the first gold passage; 0 if the ranking has none.

    >>> reciprocal_rank(["p3", "p1"], ["p1"]), reciprocal_rank(["p3"], ["p1"])
    (0.5, 0.0)
    """
    ranks = _gold_ranks(ranking, gold)
    return 1 / ranks[0] if ranks else 0.0


def ndcg(ranking: Sequence[str], gold: Sequence[str], depth: int = NDCG_DEPTH) -> float:
    """Normalised discounted cumulative gain of the first `depth`, gain 1 for a gold passage, discount log2(1 + rank).

    The ideal has all gold passages first, whether the ranking contains them or not.

    >>> ndcg(["p1", "p3"], ["p1"]), round(ndcg(["p3", "p1"], ["p1"]), 4)
    (1.0, 0.6309)
    """
    gained = sum(1 / math.log2(1 + rank) for rank in _gold_ranks(ranking, gold) if rank <= depth)
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(len(set(gold)), depth) + 1))
    return gained / ideal


def _ranking_of(question: Question, rankings: Mapping[str, Sequence[str]]) -> Sequence[str]:
    where = f"question {question.question_id}"
    ranking = rankings.get(question.question_id)
    if ranking is None:
        raise DataError("no ranking", expected="a ranking for every question", where=where)
    if len(set(ranking)) != len(ranking):
        raise DataError("a passage is ranked twice", expected="every passage once in a ranking", where=where)
    return ranking


def measures_by_question(
    questions: Sequence[Question], rankings: Mapping[str, Sequence[str]], metrics: Mapping[str, RankingMetric]
) -> dict[str, NDArray[np.float64]]:
    """Every metric of each question that has a gold passage, in the order of `questions`: what a bootstrap resamples.

    `rankings`: per question id its passage ids, best first. Beyond its end a ranking counts as a miss.

    Returns:
        By the metric's name its values, each float64 (questions with gold,).

    Raises:
        DataError: if a question has no ranking, or a ranking names a passage twice.

    >>> asked = [Question("q1", "?", ("a", "b"), 0, "test", gold_passage_ids=("p1",))]
    >>> measures_by_question(asked, {"q1": ["p2", "p1"]}, {"mrr": reciprocal_rank})["mrr"].tolist()
    [0.5]
    """
    ranked = [(_ranking_of(question, rankings), question.gold_passage_ids) for question in questions]
    return {name: np.array([metric(*pair) for pair in ranked if pair[1]]) for name, metric in metrics.items()}


def mean_measures(
    questions: Sequence[Question], rankings: Mapping[str, Sequence[str]], metrics: Mapping[str, RankingMetric]
) -> dict[str, float | int]:
    """Means over the questions that have a gold passage; the others are left out and counted.

    Returns:
        The mean of each metric, absent if no question has gold; `questions` counted; `without_gold` left out;
        `distinct_top_1`, how many different passages come first over all questions (few: the retriever has collapsed).

    Raises:
        DataError: if a question has no ranking, or a ranking names a passage twice.
    """
    found = measures_by_question(questions, rankings, metrics)
    counted = sum(bool(question.gold_passage_ids) for question in questions)
    first = {ranking[0] for question in questions if (ranking := rankings[question.question_id])}
    means: dict[str, float | int] = {name: sum(values.tolist()) / counted for name, values in found.items() if counted}
    return {**means, "questions": counted, "without_gold": len(questions) - counted, "distinct_top_1": len(first)}


def measure_by_type(
    questions: Sequence[Question],
    rankings: Mapping[str, Mapping[str, Sequence[str]]],
    metrics: Mapping[str, RankingMetric],
    small_below: int = SMALL_BELOW,
) -> dict[str, dict[str, Any]]:
    """The means of `mean_measures` for each question type.

    `questions`: of one split. `rankings`: by name, passage ids, best first, by question id; those of COMPARED that are
    there are measured. `small_below`: types with fewer questions that have a gold passage are marked small.

    Returns:
        Per type, by name, questions without one last as `unknown`: small, and a block a ranking. Empty where no type is
        known, or there are more types than MAX_GROUPS.
    """
    known = sorted({question.question_type for question in questions if question.question_type})
    compared = [name for name in COMPARED if name in rankings]
    if not compared or not 1 <= len(known) <= MAX_GROUPS:
        return {}
    found = {}
    for kind in [*known, ""]:
        asked = [question for question in questions if question.question_type == kind]
        if asked:
            with_gold = sum(bool(question.gold_passage_ids) for question in asked)
            measured = {name: mean_measures(asked, rankings[name], metrics) for name in compared}
            found[kind or UNKNOWN] = {"small": with_gold < small_below, **measured}
    return found
