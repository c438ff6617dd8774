"""Whether confidence means what it says: calibration error, Brier score, reliability, and a temperature that fixes it.

The confidence of an answer is the probability of the chosen option, max softmax(s / T) over the options' scores s
(log-likelihoods, nats a token). At temperature T = 1 it is the reader's own; a T fitted on another split calibrates it.
Source: Guo et al. 2017 (arXiv 1706.04599): expected calibration error over bins of equal width, temperature scaling by
likelihood; Nixon et al. 2019 (arXiv 1904.01685): bins of equal mass. Deviation from the latter: only the chosen option
counts, not every one. With few questions even perfect confidences have an ECE above 0, because chance fills the bins
unevenly. So the ECE of perfect confidences on the same questions is reported beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jmlr.answering.answered import TEMPERATURE_RANGE, Answered
from jmlr.errors import DataError
from jmlr.evaluation.statistics.accuracy import mean_interval, outcomes
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

BINS = 10
MIN_FITTED_ON = 50
"""Fewer questions give no temperature. Drawn with known ones (0.5 to 2; 4 options; 45 to 88 % right), 9 of 10 fitted on
50 lay within 0.56 and 1.61 times the true one. Of those on 20 up to 6 % ran into an end of the range, where
every confidence is 100 %."""


@dataclass(frozen=True)
class Graded:
    """The answers of one arm to one split, in the order of the questions.

    Attributes:
        scores: (questions, most options) float64, log-likelihoods (nats a token); -inf where there is no such option.
        answers: (questions,) int64, the right option.
        right: (questions,) bool, whether it was chosen at temperature 1 (no temperature changes the choice).
    """

    scores: NDArray[np.float64]
    answers: NDArray[np.int64]
    right: NDArray[np.bool_]

    def log_probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Log softmax(scores / temperature) over the options; (questions, most options) float64."""
        from scipy.special import logsumexp

        scaled = self.scores / temperature
        logs: NDArray[np.float64] = scaled - logsumexp(scaled, axis=1, keepdims=True)
        return logs

    def confidences(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Probability of the chosen option; (questions,) float64, 1 / options to 1."""
        confidences: NDArray[np.float64] = np.exp(self.log_probabilities(temperature).max(axis=1))
        return confidences

    def answer_losses(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Minus the log-probability of the right option, in nats; (questions,) float64, from 0."""
        return -self.log_probabilities(temperature)[np.arange(len(self.answers)), self.answers]


def grade(questions: Sequence[Question], answered: Sequence[Answered], arm: str) -> Graded:
    """One arm's answers as arrays.

    `answered`: answers to at least these questions, in any order.

    Raises:
        DataError: if there is no question, or the answers do not fit the questions (see `outcomes`).
    """
    if not questions:
        raise DataError("no questions to judge confidences on", expected="at least 1", where=f"arm {arm}")
    right = outcomes(questions, answered, arm)
    by_id = {answer.question_id: answer.option_scores for answer in answered}
    scores = np.full((len(questions), max(len(question.options) for question in questions)), -np.inf)
    for row, question in enumerate(questions):
        scores[row, : len(question.options)] = by_id[question.question_id]
    return Graded(scores, np.array([question.answer_index for question in questions]), right)


def fit_temperature(graded: Graded) -> float:
    """The temperature under which the right options are likeliest, within TEMPERATURE_RANGE.

    The mean loss is convex in 1 / T, so the one minimum is found by bounded search over log T.
    Source: Guo et al. 2017, section 4.2 (temperature scaling).

    >>> from math import log
    >>> four = Graded(np.full((4, 2), [0.0, -2 * log(3)]), np.array([0, 0, 0, 1]), np.array([True, True, True, False]))
    >>> round(fit_temperature(four), 3)  # right 3 times in 4: odds of 3, where the scores say 9
    2.0
    """
    from scipy.optimize import minimize_scalar

    def loss(temperature: float) -> float:
        return float(graded.answer_losses(temperature).mean())

    found = minimize_scalar(
        lambda log_temperature: loss(float(np.exp(log_temperature))),
        bounds=tuple(np.log(TEMPERATURE_RANGE)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    # Where no temperature inside is better than an end (the loss may be flat in floats), the end is the answer.
    return min((*TEMPERATURE_RANGE, float(np.exp(found.x))), key=loss)


def bin_edges(confidences: NDArray[np.float64], bins: int = BINS, equal_mass: bool = False) -> NDArray[np.float64]:
    """The edges of the bins; (bins + 1,) float64. A bin includes its upper edge, not its lower one.

    Equal mass: quantiles of the confidences, so that equal ones share a bin; the bins are then filled less evenly.
    """
    places = np.linspace(0, 1, bins + 1)
    return np.quantile(confidences, places) if equal_mass else places


def reliability(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], edges: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """One record a bin that is not empty, for the reliability plot: accuracy against confidence.

    `confidences`: (questions,) float64, 0 to 1. `right`: (questions,) bool.

    Returns:
        Records of bin (from 0), low, high (its edges), count, confidence (mean) and accuracy, 0 to 1.

    >>> records = reliability(np.array([0.55, 0.65, 0.95]), np.array([False, True, True]), np.array([0, 0.5, 0.7, 1]))
    >>> [(record["bin"], record["count"], round(record["confidence"], 2), record["accuracy"]) for record in records]
    [(1, 2, 0.6, 0.5), (2, 1, 0.95, 1.0)]
    """
    places = np.searchsorted(edges[1:-1], confidences, side="left")
    return [
        {
            "bin": int(place),
            "low": float(edges[place]),
            "high": float(edges[place + 1]),
            "count": int((places == place).sum()),
            "confidence": float(confidences[places == place].mean()),
            "accuracy": float(right[places == place].mean()),
        }
        for place in np.unique(places)
    ]


def calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_], edges: NDArray[np.float64]) -> float:
    """Expected calibration error: sum over bins of (count / questions) * |accuracy - confidence|, 0 to 1.

    Source: Guo et al. 2017, section 2 (Expected Calibration Error).

    `confidences`: (questions,) float64, 0 to 1. `right`: (questions,) bool.

    >>> confidences, right = np.array([0.55, 0.65, 0.95]), np.array([False, True, True])
    >>> round(calibration_error(confidences, right, np.array([0, 0.5, 0.7, 1])), 4)  # (2 * 0.1 + 1 * 0.05) / 3
    0.0833
    """
    places = np.searchsorted(edges[1:-1], confidences, side="left")
    return float(np.abs(np.bincount(places, right) - np.bincount(places, confidences)).sum() / len(confidences))


def error_if_calibrated(
    confidences: NDArray[np.float64], edges: NDArray[np.float64], settings: EvaluateSettings
) -> dict[str, float]:
    """The ECE that perfect confidences would get: {mean, high}; one above `high` is not chance.

    Every question is right with its confidence, drawn `bootstrap_samples` times; `high` is the quantile at the level
    `confidence`. Source: consistency resampling, Bröcker and Smith 2007 (Weather and Forecasting 22).
    """
    draw = np.random.default_rng(settings.seed)
    errors = [
        calibration_error(confidences, draw.random(len(confidences)) < confidences, edges)
        for _ in range(settings.bootstrap_samples)
    ]
    return {"mean": float(np.mean(errors)), "high": float(np.quantile(errors, settings.confidence))}


def summarise_confidence(
    graded: Graded, temperature: float, settings: EvaluateSettings, bins: int = BINS
) -> dict[str, Any]:
    """How well the confidences at one temperature are calibrated.

    `temperature`: 1 for the reader's own confidences.

    Returns:
        questions; accuracy and mean_confidence (0 to 1); ece (equal width) and ece_equal_mass (0 to 1), each with
        ..._if_calibrated {mean, high}; brier {value, low, high}, the mean of (confidence - right)^2, 0 to 1; and
        answer_loss {value, low, high}, minus the log-probability of the right option (nats).
        Source of brier: Brier 1950, for the event that the choice is right (not summed over the options).
    """
    confidences = graded.confidences(temperature)
    summary: dict[str, Any] = {
        "questions": len(confidences),
        "accuracy": float(graded.right.mean()),
        "mean_confidence": float(confidences.mean()),
    }
    for name, equal_mass in (("ece", False), ("ece_equal_mass", True)):
        edges = bin_edges(confidences, bins, equal_mass)
        summary[name] = calibration_error(confidences, graded.right, edges)
        summary[f"{name}_if_calibrated"] = error_if_calibrated(confidences, edges, settings)
    brier = (confidences - graded.right) ** 2
    summary["brier"] = mean_interval(brier, settings).bounds
    summary["answer_loss"] = mean_interval(graded.answer_losses(temperature), settings).bounds
    return summary


def measure_calibration(fitted_on: Graded | None, graded: Graded, settings: EvaluateSettings) -> dict[str, Any]:
    """Calibration of the reader's own confidences, and after a temperature fitted on another split.

    `fitted_on`: the same arm's answers to the other split (dev); None if there is none. `settings`: gives level,
    resamples and seed of the intervals.

    Returns:
        as_said (see `summarise_confidence`); temperature, and scaled, as_said at it; temperature_at_bound, whether the
        fit ran into the end of its range; fitted_on_questions. Without the other split all but as_said are None. Where
        it has fewer than MIN_FITTED_ON questions, or the fit ran into an end, there is no temperature.
    """
    fitted = fit_temperature(fitted_on) if fitted_on and len(fitted_on.right) >= MIN_FITTED_ON else None
    temperature = None if fitted in TEMPERATURE_RANGE else fitted
    return {
        "as_said": summarise_confidence(graded, 1.0, settings),
        "temperature": temperature,
        "temperature_at_bound": None if fitted is None else fitted in TEMPERATURE_RANGE,
        "fitted_on_questions": len(fitted_on.right) if fitted_on else None,
        "scaled": None if temperature is None else summarise_confidence(graded, temperature, settings),
    }
