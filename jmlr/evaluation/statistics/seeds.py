"""Several trainings under different seeds as one result: mean and interval over the seeds, not over the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from jmlr.errors import DataError
from jmlr.evaluation.notation import success_at_1


def over_seeds(values: Sequence[float], confidence: float) -> dict[str, float | int | None]:
    """Mean of one value a seed with its interval of Student's t; None for the bounds of a single seed.

    The interval is about another training under another seed on the same questions.

    >>> found = over_seeds([0.90, 0.92, 0.94], 0.95)
    >>> round(found["value"], 2), round(found["half_width"], 4), found["seeds"]
    (0.92, 0.0497, 3)
    """
    count = len(values)
    half = None
    if count > 1:
        from scipy.stats import t as student

        half = float(student.ppf((1 + confidence) / 2, count - 1)) * stdev(values) / count**0.5
    return {"value": fmean(values), "half_width": half, "seeds": count}


def aggregate(runs: Sequence[Mapping[str, Any]], confidence: float) -> dict[str, Any]:
    """Per split: accuracy of every arm that all runs have, every paired difference, and success@1, over the seeds.

    A difference is taken within each run first, so that what a seed does to both arms cancels out.

    `runs`: contents of metrics.json of the same protocol, one a seed.

    Raises:
        DataError: if there is no run.
    """
    if not runs:
        raise DataError("no runs", expected="the metrics of at least 1 run")
    return {
        split: _over_seeds([_values(run[split]) for run in runs], confidence)
        for split in runs[0]
        if all(split in run for run in runs)
    }


def _values(measured: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What is taken over the seeds, of one run and split."""
    means = {kind: {name: one["value"] for name, one in measured[kind].items()} for kind in ("accuracy", "difference")}
    success = {name: success_at_1(found) for name, found in measured["retrieval"].items()}
    return {**means, "success_at_1": {name: share for name, share in success.items() if share is not None}}


def _over_seeds(runs: Sequence[Mapping[str, Mapping[str, float]]], confidence: float) -> dict[str, Any]:
    return {
        kind: {
            name: over_seeds([run[kind][name] for run in runs], confidence)
            for name in found
            if all(name in run[kind] for run in runs)
        }
        for kind, found in runs[0].items()
    }
