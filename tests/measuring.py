"""What tests of the evaluation measure: arms and rankings alone, without what takes long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmlr.answering.answered import Answered
from jmlr.evaluation.metrics import METRICS, measure, ranking_metrics
from jmlr.evaluation.readings import Rankings, Readings
from jmlr.evaluation.retrieval.rankings import mean_measures
from jmlr.settings import Settings
from jmlr.types import Question

SHORT = {key: METRICS[key] for key in ("questions", "chance", "accuracy", "difference", "gap_closed", "retrieval")}


def summarise(
    settings: Settings, questions: Sequence[Question], answered: Mapping[str, list[Answered]], rankings: Rankings
) -> dict[str, Any]:
    """The metrics of SHORT, per split."""
    return measure(settings, questions, Readings(dict(answered)), rankings, metrics=SHORT)


def measure_retrieval(
    questions: Sequence[Question], rankings: Mapping[str, Sequence[str]], cutoffs: Sequence[int]
) -> dict[str, float | int]:
    """The means of every metric of rankings."""
    return mean_measures(questions, rankings, ranking_metrics(cutoffs))
