"""Differences between two groups of different questions, and the correction for testing many of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jmlr.errors import DataError
from jmlr.evaluation.statistics.accuracy import Interval, percentiles, resampled_means, share_interval
from jmlr.settings import EvaluateSettings

_ROUNDING = 1e-9


def share_gap(first: NDArray[np.bool_], second: NDArray[np.bool_], confidence: float) -> Interval:
    """Share of the first group minus share of the second, groups of different questions; -1 to 1.

    The interval is the hybrid score interval made of both groups' Wilson intervals. Source: Newcombe 1998
    (Statistics in Medicine 17: 873-890), method 10.

    Raises:
        DataError: if a group is empty.
    """
    one, two = share_interval(first, confidence), share_interval(second, confidence)
    gap = one.value - two.value
    low = gap - np.hypot(one.value - one.low, two.high - two.value)
    high = gap + np.hypot(one.high - one.value, two.value - two.low)
    return Interval(gap, float(low), float(high), one.questions + two.questions)


def share_gap_p(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Two-sided p-value of Fisher's exact test: are both groups right equally often?

    >>> round(share_gap_p(np.array([True] * 3), np.array([False] * 3)), 3)  # 2 / C(6, 3)
    0.1
    """
    from scipy.stats import fisher_exact

    table = [[int(group.sum()), int((~group).sum())] for group in (first, second)]
    return float(fisher_exact(table).pvalue)


def mean_gap(first: NDArray[np.generic], second: NDArray[np.generic], settings: EvaluateSettings) -> Interval:
    """Mean of the first group minus mean of the second, each group resampled apart (percentile bootstrap).

    `first`: one value a question, shape (questions of the first group,). `second`: the same of other questions.

    Raises:
        DataError: if a group is empty.
    """
    if not len(first) or not len(second):
        raise DataError("an empty group", expected="at least 1 question in both groups")
    draw = np.random.default_rng(settings.seed)
    drawn = resampled_means(first, settings, draw) - resampled_means(second, settings, draw)
    return Interval(_gap(first, second), *percentiles(drawn, settings), len(first) + len(second))


def _gap(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    return float(first.astype(np.float64).mean() - second.astype(np.float64).mean())


def mean_gap_p(first: NDArray[np.generic], second: NDArray[np.generic], settings: EvaluateSettings) -> float:
    """Two-sided p-value of a permutation test: could both groups come from one distribution?

    The questions are permuted `bootstrap_samples` times. Only how often each value falls into the first group matters,
    so that count is drawn (multivariate hypergeometric). The p-value is (1 + as far apart) / (1 + drawn), never 0.
    Source: Phipson and Smyth 2010 (arXiv 1603.05766).
    """
    values = np.concatenate([first, second]).astype(np.float64)
    distinct, counts = np.unique(values, return_counts=True)
    draw = np.random.default_rng(settings.seed)
    dealt = draw.multivariate_hypergeometric(counts, len(first), size=settings.bootstrap_samples)
    sums = dealt @ distinct
    gaps = sums / len(first) - (values.sum() - sums) / len(second)
    return float((1 + (np.abs(gaps) >= abs(_gap(first, second)) - _ROUNDING).sum()) / (1 + len(gaps)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the same order; they control the family-wise error rate.

    Source: Holm 1979 (Scandinavian Journal of Statistics 6), step down.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = least
    return adjusted
