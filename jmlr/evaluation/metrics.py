"""The content of metrics.json: the arms side by side, and how firm, how calibrated and how fair their answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmlr.evaluation import arms
from jmlr.evaluation.groups.public_sets import by_set
from jmlr.evaluation.groups.subgroups import measure_subgroups
from jmlr.evaluation.notation import GOLD_SUFFIX, PLAIN_ARMS, ordered_arms
from jmlr.evaluation.readings import in_words, over_orders
from jmlr.evaluation.reliance.evidence import summarise_evidence
from jmlr.evaluation.retrieval.by_type import measure_by_type
from jmlr.evaluation.session import Readings
from jmlr.evaluation.statistics.abstention import Judged, measure_abstention
from jmlr.evaluation.statistics.accuracy import outcomes
from jmlr.evaluation.statistics.calibration import bin_edges, grade, measure_calibration, reliability
from jmlr.settings import Settings
from jmlr.types import Question


def measure(
    settings: Settings,
    questions: Sequence[Question],
    readings: Readings,
    rankings: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    """All numbers of an evaluation, per split; see `arms.summarise` for the first of them.

    Args:
        settings: of the whole project.
        questions: of all evaluated splits.
        readings: of all arms.
        rankings: passage ids, best first, by question id, of every ranking that is reported.

    Returns:
        Per split what `arms.summarise` gives, and: `by_set`, accuracy on each public question set; `reading`, per arm
        accuracy over the orders of the options and in the reader's own words; `confidence`, per arm its calibration
        (`measure_calibration`), the records of its reliability and what abstaining brings (`measure_abstention`);
        `evidence`, per arm (`summarise_evidence`); `subgroups` (`measure_subgroups`); `retrieval_by_type`
        (`measure_by_type`).

    Raises:
        DataError: if no split has questions, or answers or rankings do not fit the questions.
    """
    metrics = arms.summarise(settings, questions, readings.answered, rankings)
    for split, measured in metrics.items():
        asked = [question for question in questions if question.split == split]
        more = _more(settings, asked, readings)
        more["retrieval_by_type"] = measure_by_type(asked, rankings, settings.evaluate.recall_at)
        measured.update(arms.rounded(more))
    return metrics


def _more(settings: Settings, asked: Sequence[Question], readings: Readings) -> dict[str, Any]:
    plain = [arm for arm in ordered_arms(readings.answered) if not arm.endswith(GOLD_SUFFIX)]
    right = {arm: outcomes(asked, readings.answered[arm], arm) for arm in plain}
    of_plain = {arm: readings.answered[arm] for arm in PLAIN_ARMS if arm in right}
    return {
        "by_set": by_set(asked, right, settings.evaluate),
        "reading": _reading(settings, asked, readings),
        "confidence": {arm: _confidence(settings, asked, readings, arm) for arm in PLAIN_ARMS if arm in right},
        "evidence": _evidence(settings, asked, readings),
        "subgroups": measure_subgroups(asked, of_plain, settings.evaluate),
    }


def _confidence(settings: Settings, asked: Sequence[Question], readings: Readings, arm: str) -> dict[str, Any]:
    """Calibration of an arm, and abstention by confidences at the temperature fitted on dev.

    On dev itself neither is reported: a temperature or threshold is not judged by the questions it was chosen on.
    """
    evaluate, dev = settings.evaluate, readings.fitted_on.get(arm) if asked[0].split != "dev" else None
    graded = grade(asked, readings.answered[arm], arm)
    fitted = grade(readings.dev, dev, arm) if dev else None
    found = measure_calibration(fitted, graded, evaluate)
    temperature = found["temperature"] or 1.0
    chosen_on = Judged(fitted.confidences(temperature), fitted.right) if fitted else None
    judged = Judged(graded.confidences(temperature), graded.right)
    found["reliability"] = reliability(judged.confidences, judged.right, bin_edges(judged.confidences))
    found["abstention"] = measure_abstention(chosen_on, judged, evaluate.abstain_for, evaluate)
    return found


def _evidence(settings: Settings, asked: Sequence[Question], readings: Readings) -> dict[str, Any]:
    names = {question.question_id for question in asked}
    rows = {arm: [row for row in found if row.question_id in names] for arm, found in readings.evidence.items()}
    return {arm: summarise_evidence(found, settings.evaluate) for arm, found in rows.items()}


def _reading(settings: Settings, asked: Sequence[Question], readings: Readings) -> dict[str, Any]:
    evaluate = settings.evaluate
    found: dict[str, Any] = {}
    for arm, choices in readings.choices.items():
        found.setdefault(arm, {})["option_orders"] = over_orders(asked, choices, evaluate)
    for arm, strict in readings.strict.items():
        found.setdefault(arm, {})["in_words"] = in_words(asked, strict, evaluate)
    return found
