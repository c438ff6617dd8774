"""Answering only when confident: accuracy at coverage, and a threshold chosen on one split and reported on another.

Coverage is the share of questions that are answered, the most confident ones. Source: selective classification and its
risk-coverage curve, El-Yaniv and Wiener 2010 (JMLR 11) and Geifman and El-Yaniv 2017 (arXiv 1705.08500).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jmlr.errors import DataError
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
MIN_ANSWERED = 20
"""A threshold that leaves fewer questions on the split it is chosen on is not used: it would be luck."""


@dataclass(frozen=True)
class Judged:
    """Answers of one arm to one split: `confidences` (questions,) float64 in 0 to 1, `right` (questions,) bool."""

    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if len(self.confidences) != len(self.right) or not len(self.right):
            found = f"{len(self.confidences)} confidences and {len(self.right)} outcomes"
            raise DataError(found, expected="one of both for each of at least 1 question")


def accuracy_at_coverage(
    judged: Judged, settings: EvaluateSettings, coverages: Sequence[float] = COVERAGES
) -> list[dict[str, Any]]:
    """Accuracy on the most confident questions, one record a wanted coverage.

    Equally confident questions are answered together or not at all, as any threshold would have it; so the coverage
    that is reached may be above the wanted one.

    `coverages`: wanted coverages, above 0, to 1.

    Returns:
        Records of wanted_coverage, coverage (reached), threshold (the least confidence answered), answered (questions)
        and accuracy {value, low, high}; shares are 0 to 1.
    """
    records = []
    ranked = np.sort(judged.confidences)[::-1]
    for wanted in coverages:
        threshold = float(ranked[math.ceil(round(wanted * len(ranked), 9)) - 1])
        kept = judged.confidences >= threshold
        found = mean_interval(judged.right[kept], settings)
        records.append(
            {
                "wanted_coverage": float(wanted),
                "coverage": float(kept.mean()),
                "threshold": threshold,
                "answered": found.questions,
                "accuracy": found.bounds,
            }
        )
    return records


def _mean_risk(errors: NDArray[np.float64]) -> float:
    """Mean over k of the error rate of the first k."""
    return float((np.cumsum(errors) / np.arange(1, len(errors) + 1)).mean())


def risk_coverage_area(judged: Judged) -> dict[str, float]:
    """AURC: the error rate of the k most confident questions, averaged over k from 1 to all; 0 to 1, less is better.

    Equally confident questions count with their common error rate: the expectation over all orders of them. Source:
    Geifman et al. 2019 (arXiv 1805.08206), the empirical AURC.

    Returns:
        aurc; best, that of an order with every right answer before every wrong one; random, that of no order at all,
        which is the error rate.

    >>> judged = Judged(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]))
    >>> round(risk_coverage_area(judged)["aurc"], 4)  # (0 + 0 + 1/3 + 1/4) / 4
    0.1458
    """
    _, places = np.unique(-judged.confidences, return_inverse=True)
    wrong = ~judged.right
    shares = np.bincount(places, wrong) / np.bincount(places)
    return {
        "aurc": _mean_risk(shares[np.sort(places)]),
        "best": _mean_risk(np.sort(wrong).astype(np.float64)),
        "random": float(wrong.mean()),
    }


def choose_threshold(judged: Judged, wanted_accuracy: float, min_answered: int = MIN_ANSWERED) -> float | None:
    """The lowest threshold above which answers are right as often as wanted; 0 if all may stay, None if there is none.

    Args:
        judged: the answers to choose on, not those to report on.
        wanted_accuracy: 0 to 1.
        min_answered: at least so many questions must be left.

    >>> judged = Judged(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]))
    >>> choose_threshold(judged, 0.75, min_answered=1), choose_threshold(judged, 0.9, min_answered=1)
    (0.0, 0.8)
    >>> choose_threshold(judged, 0.9, min_answered=3) is None
    True
    """
    # Where all may be answered the threshold is 0, not the least confidence on this split.
    for threshold in (0.0, *np.unique(judged.confidences)[1:]):
        kept = judged.confidences >= threshold
        if kept.sum() < min_answered:
            return None
        if judged.right[kept].mean() >= wanted_accuracy:
            return float(threshold)
    return None


def measure_abstention(
    chosen_on: Judged | None, judged: Judged, wanted_accuracy: float, settings: EvaluateSettings
) -> dict[str, Any]:
    """Accuracy at coverage, and what a threshold that promises an accuracy on one split gives on another.

    The promise is the best of many thresholds on few questions, so it is optimistic. The reported accuracy is that on
    questions the threshold was not chosen on; it may miss the wanted one.

    `chosen_on`: the same arm's answers to the other split (dev), with confidences of the same temperature; or None.
    `wanted_accuracy`: 0 to 1.

    Returns:
        at_coverage (see `accuracy_at_coverage`), area (see `risk_coverage_area`), and abstaining: wanted_accuracy,
        threshold, promised {coverage, accuracy} on the other split, and questions, answered, coverage and
        accuracy {value, low, high} on the reported one; values are None where there is no threshold or no answer.
    """
    threshold = choose_threshold(chosen_on, wanted_accuracy) if chosen_on else None
    return {
        "at_coverage": accuracy_at_coverage(judged, settings),
        "area": risk_coverage_area(judged),
        "abstaining": {
            "wanted_accuracy": float(wanted_accuracy),
            "threshold": threshold,
            "promised": _beyond(chosen_on, threshold),
            **_reported(judged, threshold, settings),
        },
    }


def _beyond(judged: Judged | None, threshold: float | None) -> dict[str, float] | None:
    if judged is None or threshold is None:
        return None
    kept = judged.confidences >= threshold
    return {"coverage": float(kept.mean()), "accuracy": float(judged.right[kept].mean())}


def _reported(judged: Judged, threshold: float | None, settings: EvaluateSettings) -> dict[str, Any]:
    found: dict[str, Any] = {"questions": len(judged.right), "answered": None, "coverage": None, "accuracy": None}
    if threshold is None:
        return found
    kept = judged.confidences >= threshold
    accuracy = mean_interval(judged.right[kept], settings).bounds if kept.any() else None
    return {**found, "answered": int(kept.sum()), "coverage": float(kept.mean()), "accuracy": accuracy}
