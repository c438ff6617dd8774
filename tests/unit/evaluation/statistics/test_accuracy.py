from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.evaluation.statistics.accuracy import bootstrap_interval, mcnemar, mean_interval, outcomes, paired_difference
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

QUESTIONS = [Question(f"q{number}", "?", ("a", "b"), 1, "test") for number in range(3)]
RIGHT, WRONG = (-2.0, -1.0), (-1.0, -2.0)


def _answers(*scores: tuple[float, ...]) -> list[Answered]:
    return [Answered(f"q{number}", given, (0.5, 0.5)) for number, given in enumerate(scores)]


def test_outcomes_follow_the_questions_not_the_answers() -> None:
    answers = _answers(RIGHT, WRONG, RIGHT)[::-1]
    assert outcomes(QUESTIONS, answers, "rag").tolist() == [True, False, True]


def test_a_tie_goes_to_the_first_option() -> None:
    assert outcomes(QUESTIONS[:1], _answers((-1.0, -1.0)), "rag").tolist() == [False]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (_answers(RIGHT, WRONG), r"arm rag, question q2: no answer"),
        (_answers(RIGHT, WRONG, (-1.0, -2.0, -3.0)), r"question q2: 3 option scores; expected 2"),
        (_answers(RIGHT, WRONG, (-1.0, float("nan"))), r"question q2: an option score is not finite"),
        (_answers(RIGHT, WRONG, RIGHT) * 2, r"arm rag: a question is answered twice"),
    ],
)
def test_answers_that_do_not_fit_are_refused(answers: list[Answered], message: str) -> None:
    with pytest.raises(DataError, match=message):
        outcomes(QUESTIONS, answers, "rag")


def test_accuracy_is_the_share_of_right_answers(evaluate: EvaluateSettings) -> None:
    found = mean_interval(np.array([True] * 3 + [False]), evaluate)
    assert (found.value, found.questions) == (0.75, 4)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(("right", "questions"), [(0, 20), (1, 20), (13, 20), (20, 20), (222, 222)])
@pytest.mark.parametrize("kind", [bool, np.int64, np.float64])
def test_a_share_has_wilsons_interval_up_to_its_borders(
    evaluate: EvaluateSettings, right: int, questions: int, kind: type
) -> None:
    found = mean_interval((np.arange(questions) < right).astype(kind), evaluate)
    low, high = proportion_confint(right, questions, alpha=1 - evaluate.confidence, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((right / questions, low, high), abs=1e-12)
    assert found.high - found.low > 0.01  # nobody is sure of 100 % after so few questions


def test_a_mean_of_other_values_is_bootstrapped(evaluate: EvaluateSettings) -> None:
    values = np.array([0.25, 0.5, 1.0, 0.0])  # shares of four orders
    assert mean_interval(values, evaluate) == bootstrap_interval(values, evaluate)


def test_same_seed_same_interval_other_seed_another(evaluate: EvaluateSettings) -> None:
    values = np.random.default_rng(0).normal(size=60)  # values, not outcomes, so that quantiles differ visibly
    assert mean_interval(values, evaluate) == mean_interval(values, evaluate)
    assert mean_interval(values, evaluate) != mean_interval(values, evaluate.model_copy(update={"seed": 2}))


def test_a_higher_level_gives_a_wider_interval(evaluate: EvaluateSettings) -> None:
    values = np.arange(100) < 40
    narrow, wide = (mean_interval(values, evaluate.model_copy(update={"confidence": level})) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_no_questions_is_an_error(evaluate: EvaluateSettings) -> None:
    with pytest.raises(DataError, match="no questions to take a share of"):
        mean_interval(np.array([]), evaluate)


def test_interval_agrees_with_scipy(evaluate: EvaluateSettings) -> None:
    settings = evaluate.model_copy(update={"bootstrap_samples": 20_000})
    values = np.random.default_rng(4).random(150) < 0.7
    ours = bootstrap_interval(values, settings)
    theirs = stats.bootstrap(
        (values.astype(float),), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_paired_interval_agrees_with_scipy(evaluate: EvaluateSettings) -> None:
    draw = np.random.default_rng(5)
    first, second = draw.random(150) < 0.8, draw.random(150) < 0.5
    ours = paired_difference(first, second, evaluate.model_copy(update={"bootstrap_samples": 20_000})).interval
    theirs = stats.bootstrap(
        (first.astype(float), second.astype(float)),
        lambda a, b, axis: np.mean(a, axis) - np.mean(b, axis),
        n_resamples=20_000, method="percentile", paired=True, vectorized=True, rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_paired_difference_by_hand(evaluate: EvaluateSettings) -> None:
    first = np.array([1, 1, 1, 1, 0, 0, 1, 0], dtype=bool)
    second = np.array([0, 0, 0, 1, 1, 0, 1, 0], dtype=bool)
    found = paired_difference(first, second, evaluate)
    assert (found.helped, found.hurt, found.unchanged) == (3, 1, 4)
    assert found.interval.value == pytest.approx(2 / 8)
    # two-sided exact: (C(4,3) + C(4,4) + C(4,1) + C(4,0)) / 2**4
    assert found.mcnemar_p == pytest.approx(10 / 16)


def test_an_arm_against_itself_differs_by_nothing(evaluate: EvaluateSettings) -> None:
    same = np.array([True, False, True])
    found = paired_difference(same, same, evaluate)
    assert (found.interval.value, found.interval.low, found.interval.high) == (0.0, 0.0, 0.0)
    assert (found.mcnemar_p, found.unchanged) == (1.0, 3)


def test_pairing_narrows_the_interval(evaluate: EvaluateSettings) -> None:
    second = np.arange(200) < 100
    first = np.arange(200) < 110  # right wherever the second is, and on 10 more
    paired = paired_difference(first, second, evaluate).interval
    alone = mean_interval(first, evaluate)
    assert paired.high - paired.low < (alone.high - alone.low) / 1.5
    assert paired.low > 0


def test_arms_on_different_questions_are_refused(evaluate: EvaluateSettings) -> None:
    with pytest.raises(DataError, match="2 and 3 outcomes; expected two arms on the same questions"):
        paired_difference(np.ones(2, bool), np.ones(3, bool), evaluate)


@pytest.mark.parametrize(("helped", "hurt", "p"), [(10, 0, 2 / 1024), (1, 0, 1.0), (4, 4, 1.0), (0, 6, 2 / 64)])
def test_mcnemar_by_hand(helped: int, hurt: int, p: float) -> None:
    assert mcnemar(helped, hurt) == pytest.approx(p)
