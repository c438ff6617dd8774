"""How stable and how sure the answers are: over the orders of the options, in the reader's words, and by confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jmlr.evaluation.notation import PLAIN_ARMS
from jmlr.evaluation.readings import Split
from jmlr.evaluation.statistics.abstention import Judged, measure_abstention
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.evaluation.statistics.calibration import bin_edges, grade, measure_calibration, reliability
from jmlr.settings import EvaluateSettings
from jmlr.types import Question


def reading(split: Split) -> dict[str, Any]:
    """Per arm `option_orders` (`over_orders`) and `in_words` (`in_words`), as far as it was read so."""
    found: dict[str, Any] = {}
    for arm, choices in split.readings.choices.items():
        found.setdefault(arm, {})["option_orders"] = over_orders(split.questions, choices, split.settings)
    for arm, strict in split.readings.strict.items():
        found.setdefault(arm, {})["in_words"] = in_words(split.questions, strict, split.settings)
    return found


def confidence(split: Split) -> dict[str, Any]:
    """Per arm its calibration, the records of its reliability, and what abstaining brings.

    Confidences are at the temperature fitted on dev. On dev itself neither temperature nor threshold is reported: they
    are not judged by the questions they were chosen on. See `measure_calibration` and `measure_abstention`.
    """
    return {arm: _confidence(split, arm) for arm in PLAIN_ARMS if arm in split.right}


def _confidence(split: Split, arm: str) -> dict[str, Any]:
    settings, readings = split.settings, split.readings
    dev = readings.fitted_on.get(arm) if split.name != "dev" else None
    graded = grade(split.questions, readings.answered[arm], arm)
    fitted = grade(readings.dev, dev, arm) if dev else None
    found = measure_calibration(fitted, graded, settings)
    temperature = found["temperature"] or 1.0
    chosen_on = Judged(fitted.confidences(temperature), fitted.right) if fitted else None
    judged = Judged(graded.confidences(temperature), graded.right)
    found["reliability"] = reliability(judged.confidences, judged.right, bin_edges(judged.confidences))
    found["abstention"] = measure_abstention(chosen_on, judged, settings.abstain_for, settings)
    return found


def over_orders(
    questions: Sequence[Question], choices: Mapping[str, Sequence[int | None]], settings: EvaluateSettings
) -> dict[str, Any]:
    """Accuracy as the mean over the cyclic orders of the options, and how often all orders agree.

    Source: Zheng et al., arXiv 2309.03882 (selection bias of multiple choice), cyclic permutation.

    `choices`: by question id, the chosen option in each order, as places in the question's own order; None is wrong.

    Returns:
        accuracy {value, low, high}: mean over questions of the share of orders answered right; consistency {value, low,
        high}: share of questions whose choice is the same in every order; orders: how many readings in all.
    """
    right = np.array([np.mean([c == q.answer_index for c in choices[q.question_id]]) for q in questions])
    same = np.array([len({*choices[question.question_id], None}) == 2 for question in questions])
    same &= np.array([None not in choices[question.question_id] for question in questions])
    return {
        "accuracy": mean_interval(right, settings).bounds,
        "consistency": mean_interval(same, settings).bounds,
        "orders": sum(len(choices[question.question_id]) for question in questions),
    }


def in_words(
    questions: Sequence[Question], read: Mapping[str, int | None], settings: EvaluateSettings
) -> dict[str, Any]:
    """Accuracy of what the reader wrote, an unreadable answer counted as wrong.

    `read`: by question id, the option that the text names, or None.

    Returns:
        accuracy {value, low, high}; unreadable: share of answers that name no option, 0 to 1.
    """
    right = np.array([read[question.question_id] == question.answer_index for question in questions])
    unreadable = sum(read[question.question_id] is None for question in questions) / len(questions)
    return {"accuracy": mean_interval(right, settings).bounds, "unreadable": unreadable}
