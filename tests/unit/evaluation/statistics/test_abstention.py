from __future__ import annotations

import numpy as np
import pytest

from jmlr.errors import DataError
from jmlr.evaluation.statistics.abstention import (
    Judged,
    accuracy_at_coverage,
    choose_threshold,
    measure_abstention,
    risk_coverage_area,
)
from jmlr.settings import EvaluateSettings

FOUR = Judged(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]))


def _drawn(questions: int, seed: int) -> Judged:
    draw = np.random.default_rng(seed)
    confidences = draw.uniform(0.25, 1, questions)
    return Judged(confidences, draw.random(questions) < confidences)


def test_accuracy_at_coverage_by_hand(evaluate: EvaluateSettings) -> None:
    records = accuracy_at_coverage(FOUR, evaluate, (1.0, 0.75, 0.5, 0.25, 0.1))
    assert [record["answered"] for record in records] == [4, 3, 2, 1, 1]
    assert [record["accuracy"]["value"] for record in records] == pytest.approx([3 / 4, 2 / 3, 1, 1, 1])
    assert [record["threshold"] for record in records] == [0.6, 0.7, 0.8, 0.9, 0.9]
    assert [record["coverage"] for record in records] == [1.0, 0.75, 0.5, 0.25, 0.25]


def test_shares_that_floats_miss_are_counted_right(evaluate: EvaluateSettings) -> None:
    # 0.7 * 10 is 7.000000000000001 in floats, which would be 8 questions
    found = accuracy_at_coverage(Judged(np.linspace(0.1, 1, 10), np.ones(10, bool)), evaluate, (0.7,))
    assert found[0]["answered"] == 7


def test_equal_confidences_are_answered_together_whatever_their_order(evaluate: EvaluateSettings) -> None:
    confidences, right = np.array([0.9, 0.5, 0.5, 0.5]), np.array([True, True, False, False])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 1, 3]):
        judged = Judged(confidences[order], right[order])
        record = accuracy_at_coverage(judged, evaluate, (0.5,))[0]
        assert (record["answered"], record["coverage"], record["accuracy"]["value"]) == (4, 1.0, 0.5)
        assert risk_coverage_area(judged)["aurc"] == pytest.approx((0 + (2 / 3) / 2 + (4 / 3) / 3 + 2 / 4) / 4)


def test_area_of_the_best_and_of_no_order() -> None:
    right = np.array([True, True, True, False])
    best = risk_coverage_area(Judged(np.array([0.9, 0.8, 0.7, 0.6]), right))
    assert best["aurc"] == best["best"] == pytest.approx(1 / 16)
    equal = risk_coverage_area(Judged(np.full(4, 0.5), right))
    assert equal["aurc"] == equal["random"] == pytest.approx(1 / 4)
    worst = risk_coverage_area(Judged(np.array([0.6, 0.7, 0.8, 0.9]), right))
    assert worst["aurc"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_area_with_ties_is_the_mean_over_their_orders() -> None:
    judged = Judged(np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1]), np.array([False, True, True, False, True, True]))
    draw, found = np.random.default_rng(0), []
    for _ in range(4000):
        shaken = judged.confidences + draw.uniform(0, 1e-6, 6)
        found.append(risk_coverage_area(Judged(shaken, judged.right))["aurc"])
    assert risk_coverage_area(judged)["aurc"] == pytest.approx(np.mean(found), abs=0.004)


def test_threshold_takes_the_largest_coverage_that_keeps_the_accuracy() -> None:
    # 2 of the first 3 are right, but 3 of all 4: wanting 0.7 does not stop at the dip, and abstains from nothing
    assert choose_threshold(FOUR, 0.7, min_answered=1) == 0.0
    with_a_wrong_last = Judged(np.append(FOUR.confidences, 0.5), np.append(FOUR.right, False))
    assert choose_threshold(with_a_wrong_last, 0.7, min_answered=1) == 0.6
    assert choose_threshold(FOUR, 0.76, min_answered=1) == 0.8
    assert choose_threshold(FOUR, 0.76, min_answered=3) is None


def test_chosen_on_one_split_and_reported_on_another(evaluate: EvaluateSettings) -> None:
    dev, test = _drawn(300, 1), _drawn(500, 2)
    found = measure_abstention(dev, test, 0.8, evaluate)
    abstaining = found["abstaining"]
    assert abstaining["threshold"] == choose_threshold(dev, 0.8)
    assert abstaining["promised"]["accuracy"] >= 0.8
    kept = test.confidences >= abstaining["threshold"]
    assert (abstaining["questions"], abstaining["answered"]) == (500, kept.sum())
    assert abstaining["coverage"] == pytest.approx(kept.mean())
    assert abstaining["accuracy"]["value"] == pytest.approx(test.right[kept].mean())
    assert abstaining["accuracy"]["low"] < abstaining["accuracy"]["value"] < abstaining["accuracy"]["high"]
    assert [record["wanted_coverage"] for record in found["at_coverage"]][:2] == [1.0, 0.9]


def test_what_cannot_be_promised_is_none(evaluate: EvaluateSettings) -> None:
    wrong = Judged(np.linspace(0.3, 0.9, 50), np.zeros(50, bool))
    for chosen_on in (wrong, None):
        abstaining = measure_abstention(chosen_on, FOUR, 0.5, evaluate)["abstaining"]
        assert abstaining == {
            "wanted_accuracy": 0.5, "threshold": None, "promised": None,
            "questions": 4, "answered": None, "coverage": None, "accuracy": None,
        }  # fmt: skip


def test_a_threshold_above_every_reported_confidence_answers_nothing(evaluate: EvaluateSettings) -> None:
    sure = Judged(np.append(np.full(30, 0.99), 0.3), np.arange(31) < 30)
    abstaining = measure_abstention(sure, FOUR, 0.99, evaluate)["abstaining"]
    assert (abstaining["answered"], abstaining["coverage"], abstaining["accuracy"]) == (0, 0.0, None)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="2 confidences and 3 outcomes"):
        Judged(np.ones(2), np.ones(3, bool))
    with pytest.raises(DataError, match="0 confidences and 0 outcomes"):
        Judged(np.ones(0), np.ones(0, bool))
