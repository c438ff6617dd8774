from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.evaluation.statistics.calibration import (
    MIN_FITTED_ON,
    TEMPERATURE_RANGE,
    Graded,
    bin_edges,
    calibration_error,
    error_if_calibrated,
    fit_temperature,
    grade,
    measure_calibration,
    reliability,
    summarise_confidence,
)
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

CONFIDENCES = np.array([0.1, 0.2, 0.25, 0.9, 0.95])
RIGHT = np.array([False, True, False, True, True])


def _graded(shares: list[list[float]], answers: list[int]) -> Graded:
    scores = np.log(np.array(shares))
    return Graded(scores, np.array(answers), scores.argmax(axis=1) == np.array(answers))


def _drawn(questions: int, sharpness: float, seed: int) -> Graded:
    """Answers whose scores are `sharpness` times the true log-odds."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(questions, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = np.array([draw.choice(4, p=row) for row in shares])
    return Graded(logits * sharpness, answers, logits.argmax(axis=1) == answers)


def test_graded_follows_the_questions_and_their_number_of_options() -> None:
    questions = [Question("q1", "?", ("a", "b", "c"), 2, "test"), Question("q2", "?", ("a", "b"), 1, "test")]
    answered = [Answered("q2", (0.0, 0.0), (0.5, 0.5)), Answered("q1", (-3.0, -2.0, -1.0), (0.1, 0.2, 0.7))]
    graded = grade(questions, answered, "rag")
    assert graded.scores.tolist() == [[-3.0, -2.0, -1.0], [0.0, 0.0, -math.inf]]
    assert graded.right.tolist() == [True, False]
    third = 1 / (1 + math.exp(-1) + math.exp(-2))
    assert graded.confidences() == pytest.approx([third, 0.5])
    assert graded.answer_losses() == pytest.approx([-math.log(third), math.log(2)])
    assert graded.confidences(1e9) == pytest.approx([1 / 3, 1 / 2])


def test_confidence_at_temperature_one_is_the_chosen_probability() -> None:
    graded = _graded([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], [0, 0])
    assert graded.confidences() == pytest.approx([0.7, 0.4])


def test_no_questions_and_answers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="arm rag: no questions to judge confidences on"):
        grade([], [], "rag")
    with pytest.raises(DataError, match="arm rag, question q1: no answer"):
        grade([Question("q1", "?", ("a", "b"), 0, "test")], [], "rag")


def test_error_by_hand_equal_width() -> None:
    # two bins: (0, 0.5] with 1 of 3 right at mean 0.55 / 3, (0.5, 1] with 2 of 2 right at mean 0.925
    expected = (abs(1 - 0.55) + abs(2 - 1.85)) / 5
    assert calibration_error(CONFIDENCES, RIGHT, bin_edges(CONFIDENCES, 2)) == pytest.approx(expected)


def test_error_by_hand_equal_mass() -> None:
    edges = bin_edges(CONFIDENCES, 2, equal_mass=True)
    assert edges == pytest.approx([0.1, 0.25, 0.95])
    expected = (abs(1 - 0.55) + abs(2 - 1.85)) / 5
    assert calibration_error(CONFIDENCES, RIGHT, edges) == pytest.approx(expected)


def test_an_edge_belongs_to_the_bin_below() -> None:
    records = reliability(np.array([0.5, 0.51]), np.array([True, False]), bin_edges(np.array([0.5]), 2))
    assert [(record["bin"], record["count"]) for record in records] == [(0, 1), (1, 1)]


def test_equal_confidences_share_a_bin_of_equal_mass() -> None:
    same = np.full(40, 0.3)
    records = reliability(same, np.arange(40) < 12, bin_edges(same, 10, equal_mass=True))
    assert [(record["count"], record["accuracy"]) for record in records] == [(40, pytest.approx(0.3))]


def test_always_wrong_and_surely_right() -> None:
    sure = np.ones(4)
    assert calibration_error(sure, np.zeros(4, bool), bin_edges(sure)) == pytest.approx(1)
    assert calibration_error(sure, np.ones(4, bool), bin_edges(sure)) == pytest.approx(0)


def test_perfect_confidences_have_an_error_that_shrinks_with_questions(evaluate: EvaluateSettings) -> None:
    def floor(questions: int) -> dict[str, float]:
        confidences: NDArray[np.float64] = np.random.default_rng(1).uniform(0.25, 1, questions)
        return error_if_calibrated(confidences, bin_edges(confidences), evaluate)

    few, many = floor(40), floor(4000)
    assert 0.05 < few["mean"] < few["high"]
    assert many["high"] < few["mean"] / 3


def test_what_is_calibrated_stays_below_the_bound_and_what_is_not_exceeds_it(evaluate: EvaluateSettings) -> None:
    honest = summarise_confidence(_drawn(1500, 1.0, seed=2), 1.0, evaluate)
    boastful = summarise_confidence(_drawn(1500, 3.0, seed=2), 1.0, evaluate)
    for name in ("ece", "ece_equal_mass"):
        assert honest[name] < honest[f"{name}_if_calibrated"]["high"]
        assert boastful[name] > boastful[f"{name}_if_calibrated"]["high"]
    assert boastful["mean_confidence"] > boastful["accuracy"] + 0.1


def test_temperature_by_hand() -> None:
    # odds 9 to 1 said, right 2 times in 3: the likeliest odds are 2, and 9 ** (1 / T) = 2
    graded = _graded([[0.9, 0.1]] * 3, [0, 0, 1])
    assert fit_temperature(graded) == pytest.approx(math.log(9) / math.log(2), rel=1e-4)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_temperature_is_found_again(sharpness: float) -> None:
    assert fit_temperature(_drawn(6000, sharpness, seed=3)) == pytest.approx(sharpness, rel=0.07)


def test_temperature_minimises_the_loss() -> None:
    graded = _drawn(200, 2.0, seed=4)
    best = graded.answer_losses(fit_temperature(graded)).mean()
    grid = [graded.answer_losses(float(t)).mean() for t in np.geomspace(0.05, 50, 400)]
    assert best <= min(grid) + 1e-9


@pytest.mark.parametrize("right", [True, False])
def test_a_fit_without_an_inside_minimum_gives_no_temperature(evaluate: EvaluateSettings, right: bool) -> None:
    questions = MIN_FITTED_ON
    alike = _graded([[0.9, 0.1]] * questions, [0 if right else 1] * questions)
    assert fit_temperature(alike) == TEMPERATURE_RANGE[0 if right else 1]
    found = measure_calibration(alike, alike, evaluate)
    assert (found["temperature"], found["temperature_at_bound"], found["scaled"]) == (None, True, None)


def test_few_questions_give_no_temperature(evaluate: EvaluateSettings) -> None:
    few, enough = (_drawn(count, 3.0, seed=9) for count in (MIN_FITTED_ON - 1, MIN_FITTED_ON))
    found = measure_calibration(few, enough, evaluate)
    assert (found["temperature"], found["scaled"], found["fitted_on_questions"]) == (None, None, MIN_FITTED_ON - 1)
    assert measure_calibration(enough, few, evaluate)["temperature"] == fit_temperature(enough)


def test_options_that_are_not_there_take_no_probability() -> None:
    graded = Graded(np.array([[0.0, -1.0, -np.inf]]), np.array([1]), np.array([False]))
    two = Graded(np.array([[0.0, -1.0]]), np.array([1]), np.array([False]))
    assert graded.answer_losses(2.0) == pytest.approx(two.answer_losses(2.0))
    assert np.isfinite(graded.confidences(TEMPERATURE_RANGE[0])).all()


def test_fitted_on_one_split_and_reported_on_another(evaluate: EvaluateSettings) -> None:
    dev, test = _drawn(400, 3.0, seed=5), _drawn(600, 3.0, seed=6)
    found = measure_calibration(dev, test, evaluate)
    assert list(found) == ["as_said", "temperature", "temperature_at_bound", "fitted_on_questions", "scaled"]
    assert found["temperature"] == fit_temperature(dev)
    assert found["temperature_at_bound"] is False
    assert (found["fitted_on_questions"], found["scaled"]["questions"]) == (400, 600)
    assert found["scaled"]["accuracy"] == found["as_said"]["accuracy"]
    for name in ("ece", "ece_equal_mass"):
        assert found["scaled"][name] < found["as_said"][name] / 2
    for name in ("brier", "answer_loss"):
        assert found["scaled"][name]["value"] < found["as_said"][name]["value"]
        assert found["scaled"][name]["low"] < found["scaled"][name]["value"] < found["scaled"][name]["high"]


def test_without_another_split_nothing_is_scaled(evaluate: EvaluateSettings) -> None:
    found = measure_calibration(None, _drawn(50, 1.0, seed=7), evaluate)
    assert [found[name] for name in ("temperature", "temperature_at_bound", "fitted_on_questions", "scaled")] == [
        None
    ] * 4


def test_same_seed_same_summary(evaluate: EvaluateSettings) -> None:
    graded = _drawn(60, 1.0, seed=8)
    assert summarise_confidence(graded, 1.0, evaluate) == summarise_confidence(graded, 1.0, evaluate)
