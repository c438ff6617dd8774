"""The metrics of an evaluation: callables in one registry, from which metrics.json, the table and the report are made.

A new metric is a function, its line in a registry here, and its test:

- Of a single answer: `def name(question, answer) -> float`, in ANSWER_METRICS. metrics.json gets its mean and interval
  for every arm, the result table and the report a row for every arm.
- Of a ranking: `def name(ranking, gold) -> float`, in `ranking_metrics`. metrics.json and the report get its mean for
  every ranking and question type.
- Of a whole split (a difference, a calibration error): `def name(split) -> value`, in METRICS, with the rows that the
  result table and the report show of it.

Only a row that needs a word of its own elsewhere, or a section of the report, touches a third file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from jmlr.errors import DataError
from jmlr.evaluation import arms, certainty
from jmlr.evaluation.groups.public_sets import by_set
from jmlr.evaluation.groups.subgroups import measure_subgroups
from jmlr.evaluation.notation import PLAIN_ARMS, RANKING_LABELS, percent, points_interval, success_at_1
from jmlr.evaluation.readings import Rankings, Readings, Split
from jmlr.evaluation.reliance.support import summarise_evidence
from jmlr.evaluation.retrieval.rankings import (
    RankingMetric,
    mean_measures,
    measure_by_type,
    ndcg,
    recall_at,
    reciprocal_rank,
    success_at,
)
from jmlr.evaluation.statistics.accuracy import AnswerMetric, is_right
from jmlr.settings import Settings
from jmlr.types import Question

_DECIMALS = 6

ANSWER_METRICS: dict[str, AnswerMetric] = {"accuracy": is_right}
"""Metrics of single answers by their key in metrics.json."""


def ranking_metrics(cutoffs: Sequence[int]) -> dict[str, RankingMetric]:
    """Metrics of rankings by their key in metrics.json.

    Args:
        cutoffs: the k of each success@k and recall@k.
    """
    ks = sorted(set(cutoffs))
    return {
        **{f"success_at_{k}": partial(success_at, k) for k in ks},
        **{f"recall_at_{k}": partial(recall_at, k) for k in ks},
        "mrr": reciprocal_rank,
        "ndcg_at_10": ndcg,
    }


@dataclass(frozen=True)
class Metric:
    """A metric of a whole split.

    Attributes:
        measure: what metrics.json holds of it: numbers, in dicts of any depth.
        rows: of the result table and the report: by label, how the measured value is shown; empty for a dash.
        optional: whether it is left out where it is empty.
    """

    measure: Callable[[Split], Any]
    rows: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    optional: bool = False


def _chance(split: Split) -> float:
    """Accuracy of guessing, 0 to 1."""
    return sum(1 / len(question.options) for question in split.questions) / len(split.questions)


def _retrieval(split: Split) -> dict[str, Any]:
    metrics = ranking_metrics(split.settings.recall_at)
    return {
        name: mean_measures(split.questions, split.rankings[name], metrics)
        for name in RANKING_LABELS
        if name in split.rankings
    }


def _evidence(split: Split) -> dict[str, Any]:
    ids = {question.question_id for question in split.questions}
    rows = {arm: [row for row in found if row.question_id in ids] for arm, found in split.readings.evidence.items()}
    return {arm: summarise_evidence(found, split.settings) for arm, found in rows.items()}


def _subgroups(split: Split) -> dict[str, Any]:
    right = {arm: split.right[arm] for arm in PLAIN_ARMS if arm in split.right}
    return measure_subgroups(split.questions, right, split.settings)


def _by_type(split: Split) -> dict[str, Any]:
    return measure_by_type(split.questions, split.rankings, ranking_metrics(split.settings.recall_at))


def _rationales(split: Split) -> dict[str, Any]:
    from jmlr.evaluation.rationales.rationale import measure_written  # its word lists take a second to load

    return measure_written(split)


def _gain(difference: Mapping[str, Any]) -> str:
    return points_interval(difference["jmlr_minus_rag"]) if "jmlr_minus_rag" in difference else ""


def _success(names: Sequence[str], sign: str, retrieval: Mapping[str, Any]) -> str:
    shares = [success_at_1(retrieval.get(name, {})) for name in names]
    if all(share is None for share in shares):
        return ""
    return sign.join("?" if share is None else percent(share) for share in shares)


METRICS: dict[str, Metric] = {
    "questions": Metric(lambda split: len(split.questions)),
    "chance": Metric(_chance, {"guessing": percent}),
    **{name: Metric(partial(arms.means, metric=metric)) for name, metric in ANSWER_METRICS.items()},
    "difference": Metric(arms.differences, {"JMLR minus RAG (points)": _gain}),
    "gap_closed": Metric(arms.gap_closed, {"gap to gold closed": percent}),
    "retrieval": Metric(
        _retrieval,
        {
            "success@1 before -> after": partial(_success, ("before", "after"), " -> "),
            "success@1 BM25, hybrid": partial(_success, ("bm25", "hybrid"), ", "),
        },
    ),
    "by_set": Metric(lambda split: by_set(split.questions, split.plain, split.settings)),
    "reading": Metric(certainty.reading),
    "confidence": Metric(certainty.confidence),
    "evidence": Metric(_evidence),
    "subgroups": Metric(_subgroups),
    "retrieval_by_type": Metric(_by_type),
    "rationales": Metric(_rationales, optional=True),
}
"""By its key in metrics.json, in its order there."""


def measure(
    settings: Settings,
    questions: Sequence[Question],
    readings: Readings,
    rankings: Rankings,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, Any]:
    """All numbers of an evaluation: per evaluated split the value of every metric, in a stable order.

    Args:
        settings: of the whole project.
        questions: of any split; a split without questions is left out.
        readings: of all arms. An arm may be missing; one that is there answers every evaluated question, or, if it is
            a `_gold` arm, every one with a gold passage (only those count for it).
        rankings: of each of notation.RANKING_LABELS; any may be missing.
        metrics: what is measured.

    Returns:
        Shares are 0 to 1; floats at six decimals, so that equal results give equal files.

    Raises:
        DataError: if no split has questions, or answers or rankings do not fit the questions.
    """
    summary: dict[str, Any] = {}
    for name in settings.evaluate.splits:
        asked = [question for question in questions if question.split == name]
        if not asked:
            continue
        split = Split(settings.evaluate, asked, readings, rankings)
        found = {key: (metric, metric.measure(split)) for key, metric in metrics.items()}
        summary[name] = {key: _rounded(value) for key, (metric, value) in found.items() if value or not metric.optional}
    if not summary:
        raise DataError(
            f"no question in the evaluated splits {', '.join(settings.evaluate.splits)}",
            expected="at least 1",
            next_step="look at build/ingest/counts.json; change evaluate.splits or ingest.test_fraction",
        )
    return summary


def _rounded(value: Any) -> Any:
    """The same nested value, floats at six decimals."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
