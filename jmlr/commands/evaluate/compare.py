"""Compares finished evaluations: two side by side, or several seeds as one result; only under the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from jmlr.console import CONSOLE
from jmlr.errors import MissingResource
from jmlr.evaluation.notation import arm_label, ordered_arms, percent
from jmlr.evaluation.protocol import require_same
from jmlr.evaluation.statistics.seeds import aggregate
from jmlr.files import read_json
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.stages.evaluation_files import read_metrics


def run(settings: Settings, folders: Sequence[Path]) -> None:
    """Prints the accuracies of finished evaluations beside each other, and their mean over the seeds.

    An arm that one of them does not have stands there without a mean.

    `folders`: each holds protocol.json and metrics.json, as build/evaluate does.

    Raises:
        MissingResource: if a folder holds no evaluation.
        DataError: if a file of one is damaged.
        ProtocolMismatch: if two were not evaluated in the same way; names both hashes and what differs.
    """
    protocols = [_read(folder, layout.PROTOCOL.name, read_json) for folder in folders]
    for folder, protocol in zip(folders[1:], protocols[1:], strict=True):
        require_same(protocols[0], protocol, (str(folders[0]), str(folder)))
    runs = [_read(folder, layout.METRICS.name, read_metrics) for folder in folders]
    together = aggregate(runs, settings.evaluate.confidence)
    for split, found in together.items():
        CONSOLE.print(_table(split, folders, runs, found))
    CONSOLE.print(
        f"Mean with the {100 * settings.evaluate.confidence:g} % interval of Student's t over the evaluations: "
        "it is about another training, if they are trainings under different seeds."
    )


def _read(folder: Path, name: str, read: Callable[[Path, str], dict[str, Any]]) -> dict[str, Any]:
    file, next_step = folder / name, f"evaluate it again: dvc repro evaluate, where {folder} is {layout.EVALUATE}"
    if not file.exists():
        raise MissingResource(
            "no finished evaluation", expected=f"a folder with {name}", where=str(file), next_step=next_step
        )
    return read(file, next_step)


def _table(split: str, folders: Sequence[Path], runs: Sequence[dict[str, Any]], found: dict[str, Any]) -> Table:
    table = Table(
        "right answers", *map(str, folders), "mean", title=f"{split}: {runs[0][split]['questions']} questions"
    )
    kinds = (("accuracy", arm_label), ("difference", lambda pair: pair.replace("_minus_", " - ")))
    for kind, label in kinds:
        names = dict.fromkeys(name for run in runs for name in run[split][kind])
        for name in ordered_arms(names) if kind == "accuracy" else names:
            values = [percent(one["value"]) if (one := run[split][kind].get(name)) else "-" for run in runs]
            table.add_row(label(name), *values, _mean(found[kind].get(name)))
    return table


def _mean(over: dict[str, Any] | None) -> str:
    """A mean with its interval; `-` for what not all evaluations have."""
    if over is None:
        return "-"
    bounds = "" if over["half_width"] is None else f" ± {100 * over['half_width']:.1f}"
    return f"{100 * over['value']:.1f}{bounds}"
