"""Compares finished evaluations: two side by side, or several seeds as one result; only under the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr.console import CONSOLE
from jmlr.errors import MissingResource
from jmlr.evaluation.notation import arm_label, ordered_arms
from jmlr.evaluation.protocol import require_same
from jmlr.evaluation.statistics.seeds import aggregate
from jmlr.files import read_json
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.stages.evaluation_files import read_metrics


def run(settings: Settings, folders: Sequence[Path]) -> None:
    """Prints the accuracies of finished evaluations beside each other, and their mean over the seeds.

    An arm that one of them lacks is shown without a mean.

    `folders`: each holds protocol.json and metrics.json, as build/evaluate does.

    Raises:
        MissingResource: if a folder has no evaluation.
        DataError: if a file of one is damaged.
        ProtocolMismatch: if two were not evaluated in the same way; names both hashes and what differs.
    """
    protocols = [_read(folder, layout.PROTOCOL.name, read_json) for folder in folders]
    for folder, protocol in zip(folders[1:], protocols[1:], strict=True):
        require_same(protocols[0], protocol, (str(folders[0]), str(folder)))
    runs = [_read(folder, layout.METRICS.name, read_metrics) for folder in folders]
    together = aggregate(runs, settings.evaluate.confidence)
    for number, folder in enumerate(folders, start=1):
        CONSOLE.print(f"{number}  {folder}")
    for split, found in together.items():
        CONSOLE.print(_table(split, runs, found))
    CONSOLE.print(
        f"Mean over the evaluations with the {100 * settings.evaluate.confidence:g} % interval of Student's t.\n"
        "Of trainings under different seeds it tells where another training may lie."
    )


def _read(folder: Path, name: str, read: Callable[[Path, str], dict[str, Any]]) -> dict[str, Any]:
    file, next_step = folder / name, f"evaluate it again: dvc repro evaluate, where {folder} is {layout.EVALUATE}"
    if not file.exists():
        raise MissingResource(
            "no finished evaluation", expected=f"a folder with {name}", where=str(file), next_step=next_step
        )
    return read(file, next_step)


def _table(split: str, runs: Sequence[dict[str, Any]], found: dict[str, Any]) -> Table:
    title = f"{split}: {runs[0][split]['questions']} questions"
    table = Table("right answers, %", title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in (*map(str, range(1, len(runs) + 1)), "mean"):
        table.add_column(name, justify="right", no_wrap=True)
    kinds = (("accuracy", arm_label, "{:.1f}"), ("difference", _pair_label, "{:+.1f}"))
    for kind, label, form in kinds:
        names = dict.fromkeys(name for run in runs for name in run[split][kind])
        for name in ordered_arms(names) if kind == "accuracy" else names:
            values = [form.format(100 * one["value"]) if (one := run[split][kind].get(name)) else "-" for run in runs]
            table.add_row(label(name), *values, _mean(found[kind].get(name)))
    return table


def _pair_label(pair: str) -> str:
    return f"{pair.replace('_minus_', ' - ')} (points)"


def _mean(over: dict[str, Any] | None) -> str:
    """A mean with its interval; `-` for what not all evaluations have."""
    if over is None:
        return "-"
    bounds = "" if over["half_width"] is None else f" ± {100 * over['half_width']:.1f}"
    return f"{100 * over['value']:.1f}{bounds}"
