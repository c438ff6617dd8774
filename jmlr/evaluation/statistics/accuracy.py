"""Accuracy, and the difference of two arms on the same questions, with intervals and McNemar's test.

SciPy is imported where it is used: it takes a second to load, and a result table needs none of it.

One rule for all: a share of questions gets Wilson's interval; any other mean, and every difference, a bootstrap
interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

AnswerMetric = Callable[[Question, Answered], float]
"""A metric of single answers: a value for a question and its answer."""


@dataclass(frozen=True)
class Interval:
    """A mean over questions with its interval; `low` and `high` are at the level `evaluate.confidence`."""

    value: float
    low: float
    high: float
    questions: int

    @property
    def bounds(self) -> dict[str, float]:
        """The mean with its interval as in metrics.json: {value, low, high}.

        >>> Interval(0.5, 0.4, 0.6, questions=9).bounds
        {'value': 0.5, 'low': 0.4, 'high': 0.6}
        """
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class PairedDifference:
    """One arm minus another on the same questions.

    Attributes:
        interval: the difference of accuracies (-1 to 1) with its paired interval.
        mcnemar_p: two-sided p-value of McNemar's exact test, 1 where the arms never differ.
        helped: questions only the first arm answers right.
        hurt: questions only the second arm answers right.
        unchanged: questions both answer right or both answer wrong.
    """

    interval: Interval
    mcnemar_p: float
    helped: int
    hurt: int
    unchanged: int

    @property
    def figures(self) -> dict[str, float | int]:
        """As in metrics.json: {value, low, high, mcnemar_p, helped, hurt, unchanged}."""
        counts = {"helped": self.helped, "hurt": self.hurt, "unchanged": self.unchanged}
        return {**self.interval.bounds, "mcnemar_p": self.mcnemar_p, **counts}


def is_right(question: Question, answer: Answered) -> bool:
    """Whether the chosen option is the right one; where the likeliest options tie none is chosen.

    >>> is_right(Question("q1", "?", ("MRI", "ECG"), 1, "test"), Answered("q1", (-2.0, -1.0), (0.27, 0.73)))
    True
    """
    return answer.chosen_index == question.answer_index


def by_question(
    metric: AnswerMetric, questions: Sequence[Question], answered: Sequence[Answered], arm: str
) -> NDArray[np.float64]:
    """A metric of single answers for each question, in the order of `questions`; shape (questions,) float64.

    `answered`: answers to at least these questions, in any order.

    Raises:
        DataError: if a question has no answer or two, not one score an option, or a score that is not finite.
    """
    answers = {answer.question_id: answer for answer in answered}
    if len(answers) != len(answered):
        raise DataError("a question is answered twice", expected="one answer a question", where=f"arm {arm}")
    values = np.zeros(len(questions))
    for row, question in enumerate(questions):
        answer = answers.get(question.question_id)
        where = f"arm {arm}, question {question.question_id}"
        if answer is None:
            raise DataError("no answer", expected="all arms on the same questions", where=where)
        if len(answer.option_scores) != len(question.options):
            found = f"{len(answer.option_scores)} option scores"
            raise DataError(found, expected=f"{len(question.options)}, one an option", where=where)
        if not all(math.isfinite(score) for score in answer.option_scores):
            raise DataError("an option score is not finite", expected="a log-likelihood (nats)", where=where)
        values[row] = metric(question, answer)
    return values


def outcomes(questions: Sequence[Question], answered: Sequence[Answered], arm: str) -> NDArray[np.bool_]:
    """Whether each question was answered right; shape (questions,) bool. See `by_question`."""
    return by_question(is_right, questions, answered, arm).astype(np.bool_)


def share_interval(right: NDArray[np.bool_], confidence: float) -> Interval:
    """A share with its Wilson score interval, which keeps a width where all are right or all wrong.

    Source: Wilson 1927 (JASA 22).

    Raises:
        DataError: if there is no question.

    >>> found = share_interval(np.array([True] * 5), confidence=0.95)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (1.0, 0.566, 1.0)
    """
    if not len(right):
        raise DataError("no questions to take a share of", expected="at least 1")
    from scipy.stats import binomtest

    bounds = binomtest(int(right.sum()), len(right)).proportion_ci(confidence, method="wilson")
    return Interval(float(right.mean()), float(bounds.low), float(bounds.high), len(right))


def mean_interval(values: NDArray[np.generic], settings: EvaluateSettings) -> Interval:
    """The mean of one value a question: with Wilson's interval where it is a share (each is 0 or 1), else bootstrapped.

    `values`: one value a question, shape (questions,); no differences, which have `bootstrap_interval`.

    Raises:
        DataError: if there is no question.

    >>> from jmlr.settings import EvaluateSettings
    >>> settings = EvaluateSettings.model_construct(bootstrap_samples=1000, confidence=0.95, seed=1)
    >>> found = mean_interval(np.array([1, 1, 1, 1]), settings)
    >>> found.value, round(found.low, 3), found.high
    (1.0, 0.51, 1.0)
    """
    if np.isin(values, (0, 1)).all():
        return share_interval(values.astype(np.bool_), settings.confidence)
    return bootstrap_interval(values, settings)


def bootstrap_interval(values: NDArray[np.generic], settings: EvaluateSettings) -> Interval:
    """The mean of one value a question, with its percentile bootstrap interval.

    Where all values are equal the interval has no width; it then says nothing about how sure one can be.

    `values`: one value a question, shape (questions,).

    Raises:
        DataError: if there is no question.

    >>> from jmlr.settings import EvaluateSettings
    >>> settings = EvaluateSettings.model_construct(bootstrap_samples=1000, confidence=0.95, seed=1)
    >>> bootstrap_interval(np.array([1, 1, 1, 0]), settings)
    Interval(value=0.75, low=0.25, high=1.0, questions=4)
    """
    questions = len(values)
    if questions == 0:
        raise DataError("no questions to take a mean over", expected="at least 1")
    distinct, counts = np.unique(values.astype(np.float64), return_counts=True)
    drawn = resampled_means(values, settings, np.random.default_rng(settings.seed))
    return Interval(float(counts @ distinct / questions), *percentiles(drawn, settings), questions)


def resampled_means(
    values: NDArray[np.generic], settings: EvaluateSettings, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Means of `bootstrap_samples` resamples of `values`; (bootstrap_samples,) float64.

    Drawing n questions with replacement draws a multinomial count of every distinct value. So the counts are drawn
    instead of the questions: the same distribution at a fraction of the memory.
    """
    distinct, counts = np.unique(values.astype(np.float64), return_counts=True)
    drawn = draw.multinomial(len(values), counts / len(values), size=settings.bootstrap_samples)
    means: NDArray[np.float64] = drawn @ distinct / len(values)
    return means


def percentiles(drawn: NDArray[np.float64], settings: EvaluateSettings) -> tuple[float, float]:
    """Low and high end of what was drawn, at the level `confidence`."""
    outside = (1 - settings.confidence) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return float(low), float(high)


def mcnemar(helped: int, hurt: int) -> float:
    """Two-sided p-value of McNemar's exact test: are helped and hurt equally likely?

    >>> mcnemar(helped=5, hurt=0)
    0.0625
    >>> mcnemar(helped=0, hurt=0)
    1.0
    """
    from scipy.stats import binomtest

    return float(binomtest(helped, helped + hurt, 0.5).pvalue) if helped + hurt else 1.0


def paired_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], settings: EvaluateSettings
) -> PairedDifference:
    """First minus second; questions are resampled, so that those which both arms find hard cancel out.

    `first`: whether the first arm is right, a question; shape (questions,). `second`: the same of the second arm, on
    the same questions in the same order.

    Raises:
        DataError: if the two do not cover the same number of questions, or none.
    """
    if len(first) != len(second):
        raise DataError(f"{len(first)} and {len(second)} outcomes", expected="two arms on the same questions")
    differences = first.astype(np.int64) - second.astype(np.int64)
    helped, hurt = int((differences > 0).sum()), int((differences < 0).sum())
    interval = bootstrap_interval(differences, settings)
    return PairedDifference(interval, mcnemar(helped, hurt), helped, hurt, len(differences) - helped - hurt)
