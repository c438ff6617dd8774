from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from jmlr.errors import DataError
from jmlr.evaluation.statistics.accuracy import share_interval
from jmlr.evaluation.statistics.gaps import holm, mean_gap, mean_gap_p, share_gap, share_gap_p
from jmlr.settings import EvaluateSettings


def _group(right: int, questions: int) -> np.ndarray:
    return np.arange(questions) < right


def test_wilson_by_hand() -> None:
    z, n, share = 1.959963984540054, 10, 0.8
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    found = share_interval(_group(8, 10), 0.95)
    assert (found.value, found.questions) == (0.8, 10)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_newcombe_as_published() -> None:
    # Newcombe 1998, table II, example (a): 56/70 - 48/80, method 10 gives 0.0524 to 0.3339
    found = share_gap(_group(56, 70), _group(48, 80), 0.95)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_gap_turns_its_sign_with_the_groups() -> None:
    one, two = share_gap(_group(3, 9), _group(20, 30), 0.9), share_gap(_group(20, 30), _group(3, 9), 0.9)
    assert (one.value, one.low, one.high) == pytest.approx((-two.value, -two.high, -two.low))


def test_all_right_still_has_a_width() -> None:
    found = share_gap(_group(3, 3), _group(50, 50), 0.95)
    assert found.low < -0.5 < found.value == 0.0 < found.high


def test_fisher_by_hand() -> None:
    # 5 of 5 against 1 of 5 right: tables as unlikely as this one are 2 * C(5, 5) * C(5, 1) of C(10, 6)
    assert share_gap_p(_group(5, 5), _group(1, 5)) == pytest.approx(2 * 5 / math.comb(10, 6))
    assert share_gap_p(_group(2, 4), _group(2, 4)) == pytest.approx(1)


def test_gap_of_means_by_hand(evaluate: EvaluateSettings) -> None:
    found = mean_gap(np.array([1, 1, 0, -1]), np.array([0, 0, -1]), evaluate)
    assert (found.value, found.questions) == (pytest.approx(1 / 4 + 1 / 3), 7)
    assert found.low < found.value < found.high


def test_gap_of_means_has_the_width_theory_says(evaluate: EvaluateSettings) -> None:
    settings = evaluate.model_copy(update={"bootstrap_samples": 20_000})
    draw = np.random.default_rng(3)
    first, second = draw.integers(-1, 2, 150), draw.integers(-1, 2, 90)
    found = mean_gap(first, second, settings)
    half = 1.96 * math.sqrt(first.var() / 150 + second.var() / 90)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.01)


def test_permutation_agrees_with_all_deals(evaluate: EvaluateSettings) -> None:
    settings = evaluate.model_copy(update={"bootstrap_samples": 20_000})
    first, second = np.array([1, 1, 0, 1]), np.array([0, -1, 0, 0, 1])
    pot = np.concatenate([first, second])
    gaps = []
    for dealt in combinations(range(9), 4):
        mask = np.isin(np.arange(9), dealt)
        gaps.append(abs(pot[mask].mean() - pot[~mask].mean()))
    exact = np.mean(np.array(gaps) >= abs(first.mean() - second.mean()) - 1e-12)
    assert mean_gap_p(first, second, settings) == pytest.approx(exact, abs=0.01)


def test_permutation_is_never_zero_and_one_without_a_gap(evaluate: EvaluateSettings) -> None:
    apart = mean_gap_p(np.ones(50), -np.ones(50), evaluate)
    assert apart == pytest.approx(1 / (1 + evaluate.bootstrap_samples))
    assert mean_gap_p(np.zeros(5), np.zeros(9), evaluate) == 1.0


def test_holm_by_hand() -> None:
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, 1 * 0.04 raised to the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_empty_groups_are_refused(evaluate: EvaluateSettings) -> None:
    with pytest.raises(DataError, match="no questions to take a share of"):
        share_gap(_group(0, 0), _group(1, 2), 0.95)
    with pytest.raises(DataError, match="an empty group"):
        mean_gap(np.zeros(2), np.zeros(0), evaluate)
