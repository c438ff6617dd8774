from __future__ import annotations

import dataclasses
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from measuring import summarise

from jmlr.evaluation.report import figures
from jmlr.evaluation.report import page as report
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


DRAWN: dict[str, dict[str, str]] = {}


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures are drawn once for all tests: drawing takes most of a page's time."""
    draw = figures.draw

    def known(records: Any, chance: Any) -> dict[str, str]:
        key = repr((records, chance))
        if key not in DRAWN:
            DRAWN[key] = draw(records, chance)
        return DRAWN[key]

    monkeypatch.setattr(figures, "draw", known)


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
        "<th>success@1</th>", "30,123,904", "0123abc", "mlflow ui --backend-store-uri sqlite:///mlflow.db",
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
    for part in ("Fewer than two comparable arms", "No ranking was measured", "Closed book answers", "No passage."):
        assert part in text
    assert Page(text).open == []


def _measured(inputs: report.ReportInputs, **blocks: Any) -> dict[str, Any]:
    """The metrics with further blocks in every split."""
    return {split: {**measured, **blocks} for split, measured in inputs.metrics.items()}


def test_retrieval_is_told_by_type_and_small_types_are_marked(tmp_path: Path, inputs: report.ReportInputs) -> None:
    before = {"success_at_1": 0.2, "mrr": 0.3, "questions": 9, "without_gold": 0, "distinct_top_1": 4}
    after = {**before, "success_at_1": 0.9, "distinct_top_1": 8}
    kinds = {"dose": {"small": True, "before": before, "after": after}}
    text = _written(tmp_path, inputs, metrics=_measured(inputs, retrieval_by_type=kinds))
    assert "Retrieval by type of question" in text
    [row] = {line for line in text.splitlines() if "<th>dose" in line}
    assert row.startswith('<tr class="soft"><th>dose <span class="soft">small</span></th>')
    for cell in (">9<", ">20.0 → 90.0 %<", ">0.300 → 0.300<", ">4 → 8<"):
        assert cell in row
    assert Page(text).open == []
    assert "Retrieval by type of question" not in _written(tmp_path, inputs)


@pytest.mark.parametrize(("name", "folded"), [("starter", True), ("MedQA", False)])
def test_the_papers_table_is_folded_where_none_of_its_sets_was_run(
    tmp_path: Path, inputs: report.ReportInputs, name: str, folded: bool
) -> None:
    arms = {arm: {"value": 0.5, "low": 0.4, "high": 0.6} for arm in ("rag", "jmlr")}
    text = _written(tmp_path, inputs, metrics=_measured(inputs, by_set={name: {"questions": 9, "accuracy": arms}}))
    assert ("none of its question sets was run here" in text) is folded
    assert "Meditron-70B (paper)" in text
    assert Page(text).open == []


def test_rationales_are_shown_with_their_measures(tmp_path: Path, inputs: report.ReportInputs) -> None:
    said = {"jmlr": {question.question_id: f"Because {EVIL}" for question in inputs.questions}}
    found = {"rationales": 9, "umls_f": {"value": 0.25, "low": 0.2, "high": 0.3, "questions": 9}}
    metrics = _measured(inputs, rationales={"made_by": {}, "arms": {"jmlr": found}})
    text = _written(tmp_path, inputs, metrics=metrics, said=said)
    assert text.count("Written by jmlr") == 10
    assert "Written by rag" not in text
    assert "Because &lt;script&gt;" in text
    assert "<script" not in text
    assert "25.0 %" in text
    assert Page(text).open == []
    assert "Rationales that were written" not in _written(tmp_path, inputs)


@pytest.mark.parametrize("left", ["option_orders", "in_words"])
def test_an_answer_that_was_read_in_one_way_alone_is_shown(
    tmp_path: Path, inputs: report.ReportInputs, left: str
) -> None:
    bounds = {"value": 0.5, "low": 0.4, "high": 0.6}
    ways = {
        "option_orders": {"accuracy": bounds, "consistency": bounds, "orders": 8},
        "in_words": {"accuracy": bounds, "unreadable": 0.25},
    }
    text = _written(tmp_path, inputs, metrics=_measured(inputs, reading={"jmlr": {left: ways[left]}}))
    assert "How stable the answers are" in text
    assert Page(text).open == []


def test_what_was_evaluated_by_itself_says_so(tmp_path: Path, inputs: report.ReportInputs) -> None:
    text = _written(tmp_path, inputs, alone=f"models:/jmlr/3 {EVIL}", data_docs_link="../../validate/index.html")
    assert "<strong>models:/jmlr/3 &lt;script&gt;" in text
    assert "trained for the same number of steps" not in text
    assert 'href="../../validate/index.html"' in text


def test_same_inputs_same_bytes(tmp_path: Path, inputs: report.ReportInputs) -> None:
    assert _written(tmp_path / "a", inputs) == _written(tmp_path / "b", inputs)
