"""The result table of `make repro`, in the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from jmlr.evaluation.notation import arm_label, ordered_arms, percent, points, success_at_1

_ABSENT = "-"


def _accuracy_cell(measured: Mapping[str, Any], arm: str) -> str:
    found = measured["accuracy"].get(arm)
    if not found:
        return _ABSENT
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _difference_cell(measured: Mapping[str, Any]) -> str:
    found = measured["difference"].get("jmlr_minus_rag")
    return f"{points(found['value'])} ({points(found['low'])} to {points(found['high'])})" if found else _ABSENT


def _success_cell(measured: Mapping[str, Any], names: Sequence[str], sign: str) -> str:
    shares = [success_at_1(measured["retrieval"].get(name, {})) for name in names]
    if all(share is None for share in shares):
        return _ABSENT
    return sign.join("?" if share is None else percent(share) for share in shares)


def _gap_cell(measured: Mapping[str, Any]) -> str:
    return _ABSENT if measured["gap_closed"] is None else percent(measured["gap_closed"])


def result_rows(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """Header, rows of arms and rows of summaries; a column for each split.

    Args:
        metrics: what `arms.summarise` returns.

    >>> header, arms, summaries = result_rows({"test": {"questions": 9, "chance": 0.25, "difference": {},
    ...     "accuracy": {"rag": {"value": 0.5, "low": 0.4, "high": 0.6}}, "gap_closed": None, "retrieval": {}}})
    >>> header, arms
    (['right answers, %', 'test (9 questions)'], [['RAG (frozen retriever)', '50.0 (40.0 to 60.0)']])
    """
    measured = list(metrics.values())
    header = ["right answers, %", *(f"{split} ({found['questions']} questions)" for split, found in metrics.items())]
    arms = ordered_arms({arm for found in measured for arm in found["accuracy"]})
    arm_rows = [[arm_label(arm), *(_accuracy_cell(found, arm) for found in measured)] for arm in arms]
    summaries = [
        ["guessing", *(percent(found["chance"]) for found in measured)],
        ["JMLR minus RAG (points)", *map(_difference_cell, measured)],
        ["gap to gold closed", *map(_gap_cell, measured)],
        ["success@1 before -> after", *(_success_cell(found, ("before", "after"), " -> ") for found in measured)],
        ["success@1 BM25, hybrid", *(_success_cell(found, ("bm25", "hybrid"), ", ") for found in measured)],
    ]
    return header, arm_rows, summaries


def result_table(metrics: Mapping[str, Any]) -> Table:
    """Arms by splits with their intervals, then the comparisons, for the terminal."""
    header, arm_rows, summaries = result_rows(metrics)
    table = Table(title="Right answers of every arm, with intervals", caption="Not for clinical use.")
    for number, name in enumerate(header):
        if number:
            table.add_column(name.replace(" (", "\n("), justify="right")
        else:
            table.add_column(name, no_wrap=True)
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
