from __future__ import annotations

import dataclasses
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jmlr.evaluation import report
from jmlr.evaluation.arms import summarise
from jmlr.types import Passage

VOID = {"meta", "img", "br", "link", "input", "hr"}
EVIL = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Tags with their attributes; checks that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def inputs(make: Callable[[int], Any]) -> report.ReportInputs:
    made = make(150)
    metrics = summarise(made.settings, made.questions, made.answered, made.rankings)
    provenance = {"git_commit": "0123abc", "protocol_hash": "f" * 64, "device": "cpu, 2 cores", "seconds": "291"}
    return report.ReportInputs(
        made.settings, metrics, made.questions, made.passages, made.answered, made.history, made.ledger, provenance
    )


def _written(folder: Path, inputs: report.ReportInputs, **changes: Any) -> str:
    report.write(folder, dataclasses.replace(inputs, **changes))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_the_whole_evaluation(tmp_path: Path, inputs: report.ReportInputs) -> None:
    text = _written(tmp_path, inputs)
    jmlr = inputs.metrics["test"]["accuracy"]["jmlr"]
    for part in (
        "Not for clinical use.", "On 100 held-out test questions", f"{100 * jmlr['value']:.1f} %", "jmlr &minus; rag",
        "<th>recall@1</th>", "30,123,904", "0123abc", "mlflow ui --backend-store-uri sqlite:///mlflow.db",
        "../validate/data_docs/index.html", "starter",
    ):  # fmt: skip
        assert part in text
    page = Page(text)
    assert page.open == []
    assert sum(tag == "article" for tag, _ in page.found) == 10
    assert sum(tag == "img" for tag, _ in page.found) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_page_makes_no_request(tmp_path: Path, inputs: report.ReportInputs) -> None:
    page = Page(_written(tmp_path, inputs))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.found}
    sources = [attributes["src"] for _, attributes in page.found if "src" in attributes]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "url(" not in (tmp_path / "report.html").read_text()


def test_all_texts_are_escaped(tmp_path: Path, inputs: report.ReportInputs) -> None:
    passages = {name: Passage(name, EVIL, EVIL, EVIL, "", EVIL, EVIL) for name in inputs.passages}
    questions = [
        dataclasses.replace(q, text=EVIL, options=(EVIL, *q.options[1:]), subject=EVIL) for q in inputs.questions
    ]
    changes = {"ledger": {"rag": {EVIL: EVIL}, EVIL: EVIL}, "provenance": {EVIL: EVIL, "tracking_uri": EVIL}}
    text = _written(tmp_path, inputs, passages=passages, questions=questions, **changes)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert Page(text).open == []


@pytest.mark.parametrize(
    ("uri", "linked"),
    [("https://mlflow.example/#/x", True), ("javascript:alert(1)", False), ("sqlite:///mlflow.db", False)],
)
def test_only_web_addresses_become_links(tmp_path: Path, inputs: report.ReportInputs, uri: str, linked: bool) -> None:
    page = Page(_written(tmp_path, inputs, provenance={"tracking_uri": uri}))
    assert (uri in [attributes.get("href") for tag, attributes in page.found if tag == "a"]) is linked


def test_a_password_in_the_tracking_address_is_not_shown(tmp_path: Path, inputs: report.ReportInputs) -> None:
    text = _written(tmp_path, inputs, provenance={"tracking_uri": "https://ann:s3cr@t@mlflow.example/"})
    assert "https://mlflow.example/" in text
    assert "s3cr" not in text


def test_one_arm_without_rankings_or_history_is_still_a_page(tmp_path: Path, inputs: report.ReportInputs) -> None:
    answered = {"closed_book": inputs.answered["closed_book"]}
    metrics = summarise(inputs.settings, inputs.questions, answered, {})
    text = _written(tmp_path, inputs, metrics=metrics, answered=answered, history=[], ledger={}, provenance={})
    for part in ("Fewer than two arms", "No ranking was measured", "Closed book answers", "No passage."):
        assert part in text
    assert Page(text).open == []


@pytest.mark.parametrize("left_out", ["option_orders", "in_words"])
def test_words_or_option_orders_alone_are_shown(tmp_path: Path, inputs: report.ReportInputs, left_out: str) -> None:
    figure = {"value": 0.25, "low": 0.125, "high": 0.5}
    both = {
        "option_orders": {"accuracy": figure, "consistency": figure, "orders": 8},
        "in_words": {"accuracy": figure, "unreadable": 0.75},
    }
    reading = {"jmlr": {name: found for name, found in both.items() if name != left_out}}
    metrics = {split: {**measured, "reading": reading} for split, measured in inputs.metrics.items()}
    page = _written(tmp_path, inputs, metrics=metrics)
    assert "How firm the answers are" in page
    assert ("75.0 %" in page) == (left_out == "option_orders")


def test_same_inputs_same_bytes(tmp_path: Path, inputs: report.ReportInputs) -> None:
    assert _written(tmp_path / "a", inputs) == _written(tmp_path / "b", inputs)
