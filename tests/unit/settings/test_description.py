"""conf/config.yaml, docs/settings.md and the help of commands are what the classes of settings say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jmlr.settings import description, params, recipes

ROOT = Path(__file__).parents[3]


def keys() -> list[str]:
    return [key.name for key in description.keys()]


def test_the_defaults_and_the_page_are_what_the_classes_give() -> None:
    """Mend it with: make params."""
    assert (ROOT / description.DEFAULTS_FILE).read_text(encoding="utf-8") == description.defaults_text()
    page = (ROOT / description.PAGE).read_text(encoding="utf-8")
    assert page == description.page_text(page)
    assert page.count("\n| `train.steps` | 120 | >= 1 |") == 1


@pytest.mark.parametrize("key", description.keys(), ids=lambda key: key.name)
def test_a_meaning_is_one_short_text(key: description.Key) -> None:
    assert 1 <= len(key.plain.split()) <= 25
    assert key.plain[-1] == "."
    assert "|" not in key.meaning


def test_every_key_of_a_recipe_is_described() -> None:
    """Blocks have a line only where they may be null."""
    raw = params.parse(yaml.safe_load(recipes.compose_text("jmlr-7b", ROOT / "conf"))).model_dump(by_alias=True)
    values = {name: value for name, value in flat(raw) if not name.startswith(("train.deepspeed.", "flows.timeout"))}
    assert set(values) <= {*keys(), "ingest.sources"}
    assert {"train.reader.lora.rank", "ingest.sources", "validate.max_drift"} <= set(values)


def flat(raw: dict, prefix: str = "") -> list[tuple[str, object]]:
    """Dotted names and values of what is no block."""
    found: list[tuple[str, object]] = []
    for name, value in raw.items():
        inner = isinstance(value, dict) and value
        found += flat(value, f"{prefix}{name}.") if inner else [(f"{prefix}{name}", value)]
    return found


@pytest.mark.parametrize(
    ("key", "may_be"),
    [
        ("seed", ">= 0, < 4,294,967,296"),
        ("ingest.languages", "list: text; null"),
        ("ingest.leakage.similar_questions", "0.8 to 1"),
        ("train.reader.rope_scaling", ">= 1; null"),
        ("train.budget_device_hours", "> 0; null"),
        ("evaluate.recall_at", "list: >= 1"),
        ("evaluate.controls", "list: gold, shuffled, bm25"),
        ("serve.patience_seconds", "> 0, <= 86,400"),
        ("promote.min_net_helped", "any number"),
    ],
)
def test_bounds_and_choices_are_told_from_the_type(key: str, may_be: str) -> None:
    assert {one.name: one.may_be for one in description.keys()}[key] == may_be


def test_help_lists_every_key_of_the_block_with_default_bounds_and_meaning() -> None:
    lines = description.help_text("train").splitlines()
    listed = [line.split(" = ")[0].strip() for line in lines if line.startswith("  train.")]
    assert listed == [key for key in keys() if key.startswith("train.")]
    at = lines.index("  train.steps = 120")
    assert lines[at + 1] == "      Optimizer steps of each arm. [>= 1]"
    assert "  train.reader.lora = null" in lines
    assert "  train.reader.lora.rank" in lines
    assert any(line.endswith("Paper: about 2e-5.") for line in lines)
    assert not [line for line in lines if "](" in line]
