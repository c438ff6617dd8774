from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from jmlr.data.tables import write_passages
from jmlr.registry.version.contents import Abstaining, Facts
from jmlr.registry.version.model_card import CardInputs, count_sources, describe, render
from jmlr.settings import recipes
from jmlr.types import Passage

CONF = Path(__file__).parents[4] / "conf"
HEADINGS = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
    "Ethical considerations", "Caveats and recommendations",
]  # fmt: skip


def interval(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, **more}


METRICS = {
    "test": {
        "questions": 200,
        "chance": 0.25,
        "accuracy": {"rag": interval(0.5), "jmlr": interval(0.7)},
        "difference": {"jmlr_minus_rag": interval(0.2)},
        "retrieval": {"after": {"success_at_1": 0.8}, "bm25": {"success_at_1": None}},
    }
}
SUBGROUPS = {
    "test": {
        "accuracy": {
            "jmlr": {
                "groups": {
                    "sex": {
                        "female": interval(0.6, questions=12, small=True, gap=interval(-0.2, p_holm=0.01)),
                        "male": interval(0.8, questions=90, small=False, gap=interval(0.2, p_holm=None)),
                    }
                }
            }
        }
    }
}


def inputs(recipe: str = "starter", threshold: float | None = 0.62, **changes: Any) -> CardInputs:
    facts = Facts("unit" * 8, "pair" * 8, "run-7", Abstaining(1.5, threshold, 0.95))
    found: dict[str, Any] = {
        "settings": recipes.load(recipe, CONF),
        "facts": facts,
        "metrics": METRICS,
        "subgroups": SUBGROUPS,
        "ledger": {"jmlr": {"reader": {"trainable": 1203712, "frozen": 0}, "seconds": 3.0}, "device_hours": 0.0785},
        "provenance": {"git_commit": "0123456789abcdef0123"},
        "sources": {"passages": [{"source": "a|b", "licence": "CC BY 4.0", "count": 1200}], "questions": []},
        "device_hours": "0.2 cpu",
    }
    return CardInputs(**{**found, **changes})


def test_the_card_has_the_headings_of_model_cards_in_their_order() -> None:
    lines = render(inputs()).splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS
    assert "Not for clinical use" in lines[2]


@pytest.mark.parametrize(
    "line",
    [
        "| JMLR (joint training) | 70.0 % (60.0 % to 80.0 %) |",
        "| sex: female | 12 (few) | 60.0 % (50.0 % to 70.0 %) | -20.0 (-30.0 to -10.0) **differs** |",
        "| sex: male | 90 | 80.0 % (70.0 % to 90.0 %) | +20.0 (+10.0 to +30.0) |",
        "- jmlr - rag: +20.0 points (+10.0 to +30.0)",
        "- success@1 after: 80.0 %",
        r"| a\|b | CC BY 4.0 | 1,200 |",
        "- Reader: 1,203,712 trained parameters, 0 frozen",
        "| MLflow run | `run-7` |",
        "| git_commit | `0123456789abcdef` |",
        "- Reader adapters: none, all weights were trained",
    ],
)
def test_the_card_tells_what_its_files_say(line: str) -> None:
    assert line in render(inputs()).splitlines()


def test_a_threshold_is_told_with_its_promise_and_a_missing_one_as_missing() -> None:
    assert "Below 0.62 the model says that it abstains" in render(inputs())
    assert "the model never says whether it abstains" in " ".join(render(inputs(threshold=None)).split())


def test_adapters_and_pinned_bases_are_told() -> None:
    card = render(inputs("jmlr-7b"))
    assert "- Reader adapters: LoRA of rank 8, merged into the reader's weights; it loads without the base" in card
    assert "- Base reader: `meta-llama/Llama-2-7b-hf` at `01c7f73d771dfac7d292323805ebc428287df4f9`" in card
    assert "This is the demonstration" not in card


def test_what_was_not_measured_leaves_no_hole() -> None:
    card = render(inputs(subgroups={}, ledger={}, device_hours="", metrics={}))
    assert "| group |" not in card
    assert "device hours" not in card
    assert [line for line in card.splitlines() if line.startswith("## ")] == [f"## {name}" for name in HEADINGS]


def test_the_description_is_short_and_has_the_result() -> None:
    text = describe(inputs())
    assert "test: 70.0 % (60.0 % to 80.0 %) of 200 questions right; guessing 25.0 %." in text
    assert text.endswith("Not for clinical use.")
    assert len(text.splitlines()) <= 4


def test_sources_are_counted_by_licence(tmp_path: Path) -> None:
    file = tmp_path / "passages.parquet"
    rows = [("a", "MIT"), ("a", "MIT"), ("a", ""), ("", "MIT")]
    write_passages(file, [Passage(f"p{at}", "x", source=row[0], licence=row[1]) for at, row in enumerate(rows)])
    assert count_sources(file) == [
        {"source": "a", "licence": "MIT", "count": 2},
        {"source": "a", "licence": "not stated", "count": 1},
        {"source": "unnamed", "licence": "MIT", "count": 1},
    ]


def test_markup_in_a_source_or_group_is_text_of_its_cell() -> None:
    evil = "a\\|b | <script>x</script> ![i](http://x) [l](http://x) `c"
    row = {"source": evil, "licence": evil, "count": 3}
    card = render(inputs(sources={"passages": [row], "questions": [row]}))
    page = MarkdownIt("commonmark").enable("table").render(card)
    assert "<script" not in page
    assert "<img" not in page
    assert "http://x)" in page
    assert 'href="http://x"' not in page
    assert page.count(f"<td>{escape(evil, quote=False)}</td>") == 4
