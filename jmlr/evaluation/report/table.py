"""The result table of `make repro`, in the terminal and as Markdown; its rows are those of jmlr.evaluation.metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table

from jmlr.evaluation.metrics import ANSWER_METRICS, METRICS
from jmlr.evaluation.notation import arm_label, interval, ordered_arms

_SPLITS_IN_A_TABLE = 2
"""As many fit into 80 columns beside the names, no interval broken."""


def result_rows(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """Header, rows of arms and rows of summaries; a column for each split, a dash for what was not measured.

    >>> header, arms, summaries = result_rows({"test": {"questions": 9, "chance": 0.25, "difference": {},
    ...     "accuracy": {"rag": {"value": 0.5, "low": 0.4, "high": 0.6}}, "gap_closed": None, "retrieval": {}}})
    >>> header, arms
    (['right answers, %', 'test (9 questions)'], [['RAG (frozen retriever)', '50.0 (40.0 to 60.0)']])
    >>> summaries[0]
    ['guessing', '25.0 %']
    """
    header = ["right answers, %", *(f"{split} ({found['questions']} questions)" for split, found in metrics.items())]
    arm_rows = []
    for name in ANSWER_METRICS:
        measured = [found.get(name, {}) for found in metrics.values()]
        for arm in ordered_arms({arm for by_arm in measured for arm in by_arm}):
            label = arm_label(arm) if name == "accuracy" else f"{arm_label(arm)}: {name.replace('_', ' ')}"
            arm_rows.append([label, *(_cell(interval, by_arm.get(arm)) for by_arm in measured)])
    summaries = [
        [label, *(_cell(shown, found.get(name)) for found in metrics.values())]
        for name, metric in METRICS.items()
        for label, shown in metric.rows.items()
    ]
    return header, arm_rows, summaries


def _cell(shown: Callable[[Any], str], value: Any) -> str:
    return (shown(value) if value is not None else "") or "-"


def result_table(metrics: Mapping[str, Any]) -> Group:
    """Arms by splits with their intervals, then the comparisons, for the terminal; two splits a table."""
    splits = list(metrics.items())
    starts = range(0, len(splits), _SPLITS_IN_A_TABLE)
    return Group(*(_table(dict(splits[at : at + _SPLITS_IN_A_TABLE])) for at in starts))


def _table(metrics: Mapping[str, Any]) -> Table:
    header, arm_rows, summaries = result_rows(metrics)
    table = Table(title="Right answers of every arm, with intervals", caption="Not for clinical use.")
    table.add_column(header[0])
    for name in header[1:]:
        table.add_column(name.replace(" (", "\n("), justify="right", no_wrap=True)
    for number, row in enumerate(arm_rows, start=1):
        table.add_row(*row, end_section=number == len(arm_rows))
    for row in summaries:
        table.add_row(*row)
    return table


def result_markdown(metrics: Mapping[str, Any]) -> str:
    """The same table in Markdown, for the README."""
    header, arm_rows, summaries = result_rows(metrics)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *arm_rows, *summaries]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
