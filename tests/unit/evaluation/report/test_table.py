from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from measuring import summarise
from rich.console import Console

from jmlr.evaluation.report.table import result_markdown, result_table


@pytest.fixture
def metrics(make: Callable[[int], Any]) -> dict[str, Any]:
    made = make(150)
    return summarise(made.settings, made.questions, made.answered, made.rankings)


def test_terminal_table_shows_arms_splits_and_success(metrics: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(result_table(metrics))
    text = console.file.getvalue()
    jmlr = metrics["test"]["accuracy"]["jmlr"]
    assert f"{100 * jmlr['value']:.1f} ({100 * jmlr['low']:.1f} to {100 * jmlr['high']:.1f})" in text
    for part in ("(100 questions)", "(50 questions)", "Closed book", "success@1", " -> ", "clinical"):
        assert part in text


def test_terminal_table_fits_80_columns(metrics: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(result_table(metrics))
    assert max(len(line) for line in console.file.getvalue().splitlines()) <= 80
    assert (
        len(console.file.getvalue().splitlines()) == 6 + 2 + 5 + 5
    )  # frame, header, arms, summaries: no row is broken


def test_three_splits_fit_80_columns_with_no_interval_broken(metrics: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=80)
    other = dict(metrics["test"]["accuracy"]["jmlr"])
    metrics["test"]["accuracy"]["jmlr_shuffled"] = other  # the longest name of an arm
    console.print(result_table({"dev": metrics["test"], **metrics}))
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count(f"{100 * other['value']:.1f} ({100 * other['low']:.1f} to {100 * other['high']:.1f})") >= 4


def test_markdown_is_a_table_with_the_same_rows(metrics: dict[str, Any]) -> None:
    lines = result_markdown(metrics).splitlines()
    assert lines[0] == "| right answers, % | test (100 questions) | test_seen (50 questions) |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert len(lines) == 2 + 5 + 5
    assert all(line.count("|") == 4 for line in lines)


def test_what_is_missing_is_a_dash(metrics: dict[str, Any]) -> None:
    metrics["test"] |= {"gap_closed": None, "retrieval": {}, "difference": {}}
    del metrics["test"]["accuracy"]["rag"]
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in result_markdown(metrics).splitlines()}
    for name in (
        "RAG (frozen retriever)",
        "JMLR minus RAG (points)",
        "gap to gold closed",
        "success@1 before -> after",
        "success@1 BM25, hybrid",
    ):
        assert rows[name] == "-"
