"""Retrieval before and after joint training for each type of question, small groups marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmlr.evaluation.groups.subgroups import MAX_GROUPS, SMALL_BELOW
from jmlr.evaluation.groups.vignette import UNKNOWN
from jmlr.evaluation.retrieval.rankings import RankingMetric, mean_measures
from jmlr.types import Question

COMPARED = ("before", "after")
"""Rankings that are told by type: what joint training changes. The others are in `retrieval`, over all questions."""


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
