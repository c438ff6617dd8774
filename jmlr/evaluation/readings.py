"""How firm the reading of an answer is: over the orders of the options, and by the reader's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings
from jmlr.types import Question


def over_orders(
    questions: Sequence[Question], choices: Mapping[str, Sequence[int | None]], settings: EvaluateSettings
) -> dict[str, Any]:
    """Accuracy as the mean over the cyclic orders of the options, and how often all orders agree.

    Source: Zheng et al., arXiv 2309.03882 (selection bias of multiple choice), cyclic permutation.

    Args:
        questions: the questions asked.
        choices: by question id, the chosen option in each order, as places in the question's own order; None is wrong.
        settings: of the interval.

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

    Args:
        questions: the questions asked.
        read: by question id, the option that the text names, or None.
        settings: of the interval.

    Returns:
        accuracy {value, low, high}; unreadable: share of answers that name no option, 0 to 1.
    """
    right = np.array([read[question.question_id] == question.answer_index for question in questions])
    unreadable = sum(read[question.question_id] is None for question in questions) / len(questions)
    return {"accuracy": mean_interval(right, settings).bounds, "unreadable": unreadable}
