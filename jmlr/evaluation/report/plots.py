"""Plot data as lists of records: for `dvc plots`, and for the figures of the report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jmlr.files import write_text

Record = dict[str, Any]

_SUCCESS = "success_at_"


def accuracy_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy with its interval, one record a split and arm.

    >>> accuracy_records({"test": {"accuracy": {"rag": {"value": 0.5, "low": 0.4, "high": 0.6, "questions": 9}}}})
    [{'split': 'test', 'arm': 'rag', 'accuracy': 0.5, 'low': 0.4, 'high': 0.6}]
    """
    return [
        {"split": split, "arm": arm, "accuracy": found["value"], "low": found["low"], "high": found["high"]}
        for split, measured in metrics.items()
        for arm, found in measured["accuracy"].items()
    ]


def success_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Success@k, one record a split, ranking (see notation.RANKING_LABELS) and k.

    >>> success_records({"test": {"retrieval": {"before": {"success_at_5": 0.5, "mrr": 0.3}}}})
    [{'split': 'test', 'retriever': 'before', 'k': 5, 'success': 0.5}]
    """
    return [
        {"split": split, "retriever": name, "k": int(key.removeprefix(_SUCCESS)), "success": value}
        for split, measured in metrics.items()
        for name, found in measured["retrieval"].items()
        for key, value in found.items()
        if key.startswith(_SUCCESS)
    ]


def reliability_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy against confidence, one record a split, arm and bin; confidences are scaled where dev was there.

    >>> found = {"rag": {"reliability": [{"count": 3, "confidence": 0.55, "accuracy": 0.5}]}}
    >>> reliability_records({"test": {"confidence": found}})
    [{'split': 'test', 'arm': 'rag', 'confidence': 0.55, 'accuracy': 0.5, 'count': 3}]
    """
    return [
        {"split": split, "arm": arm, **{key: record[key] for key in ("confidence", "accuracy", "count")}}
        for split, measured in metrics.items()
        for arm, found in measured.get("confidence", {}).items()
        for record in found["reliability"]
    ]


def coverage_records(metrics: Mapping[str, Any]) -> list[Record]:
    """Accuracy on the most confident questions, one record a split, arm and coverage."""
    return [
        {"split": split, "arm": arm, "coverage": record["coverage"], **record["accuracy"]}
        for split, measured in metrics.items()
        for arm, found in measured.get("confidence", {}).items()
        for record in found["abstention"]["at_coverage"]
    ]


def curve_records(history: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The rows of history.parquet, without values that are not finite: JSON has none.

    >>> curve_records([{"arm": "rag", "step": 1, "name": "reader_loss", "value": float("nan")}])
    []
    """
    return [
        {"arm": row["arm"], "step": int(row["step"]), "name": row["name"], "value": float(row["value"])}
        for row in history
        if math.isfinite(row["value"])
    ]


def plot_records(metrics: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """The records of each plot by its file name without ending."""
    return {
        "accuracy_by_arm": accuracy_records(metrics),
        "success_by_k": success_records(metrics),
        "reliability": reliability_records(metrics),
        "accuracy_by_coverage": coverage_records(metrics),
        "training_curves": curve_records(history),
    }


def write(folder: Path, metrics: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> None:
    """Writes a JSON file a plot (see `plot_records`) into `folder`, one record a line.

    Args:
        folder: made if it is missing.
        metrics: what `measure` returns.
        history: rows with arm, step, name and value.
    """
    for name, records in plot_records(metrics, history).items():
        lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
        write_text(folder / f"{name}.json", f"[\n{lines}\n]\n")
