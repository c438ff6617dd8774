"""Plot data as lists of records: for `dvc plots`, and for the figures of the report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jmlr.files import write_text

Record = dict[str, Any]


def accuracy_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy with its interval, one record a split and arm.

    >>> accuracy_records({"test": {"accuracy": {"rag": {"value": 0.5, "low": 0.4, "high": 0.6, "questions": 9}}}})
    [{'split': 'test', 'arm': 'rag', 'accuracy': 0.5, 'low': 0.4, 'high': 0.6}]
    """
    return [
        {"split": split, "arm": arm, "accuracy": found["value"], "low": found["low"], "high": found["high"]}
        for split, arm, found in _each(metrics, "accuracy")
    ]


def success_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Success@k, one record a split, ranking (see notation.RANKING_LABELS) and k.

    >>> success_records({"test": {"retrieval": {"before": {"success_at_5": 0.5, "mrr": 0.3}}}})
    [{'split': 'test', 'retriever': 'before', 'k': 5, 'success': 0.5}]
    """
    return [
        {"split": split, "retriever": name, "k": int(key.removeprefix("success_at_")), "success": value}
        for split, name, found in _each(metrics, "retrieval")
        for key, value in found.items()
        if key.startswith("success_at_")
    ]


def reliability_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy against confidence, one record a split, arm and bin; confidences are scaled where dev was there.

    >>> found = {"rag": {"reliability": [{"count": 3, "confidence": 0.55, "accuracy": 0.5}]}}
    >>> reliability_records({"test": {"confidence": found}})
    [{'split': 'test', 'arm': 'rag', 'confidence': 0.55, 'accuracy': 0.5, 'count': 3}]
    """
    return [
        {"split": split, "arm": arm, **{key: record[key] for key in ("confidence", "accuracy", "count")}}
        for split, arm, found in _each(metrics, "confidence")
        for record in found["reliability"]
    ]


def coverage_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy on the most confident questions, one record a split, arm and coverage."""
    return [
        {"split": split, "arm": arm, "coverage": record["coverage"], **record["accuracy"]}
        for split, arm, found in _each(metrics, "confidence")
        for record in found["abstention"]["at_coverage"]
    ]


def _each(metrics: Mapping[str, Any], key: str) -> Iterator[tuple[str, str, Any]]:
    """Split, name of an arm or ranking, and what was measured of it."""
    for split, measured in metrics.items():
        for name, found in measured.get(key, {}).items():
            yield split, name, found


def plot_records(metrics: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """The records of each plot by its file name without ending; JSON has no number that is not finite.

    `history`: rows of history.parquet, with arm, step, name and value.
    """
    return {
        "accuracy_by_arm": accuracy_records(metrics),
        "success_by_k": success_records(metrics),
        "reliability": reliability_records(metrics),
        "accuracy_by_coverage": coverage_records(metrics),
        "training_curves": [dict(row) for row in history if math.isfinite(row["value"])],
    }


def write(folder: Path, metrics: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> None:
    """Writes a JSON file for each plot of `plot_records` into `folder`, one record a line."""
    for name, records in plot_records(metrics, history).items():
        lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
        write_text(folder / f"{name}.json", f"[\n{lines}\n]\n")
