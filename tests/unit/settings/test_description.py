"""docs/settings.md describes every key that exists, and no other; docs/training.md has the starter's values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from jmlr.settings import Settings, description, recipes

ROOT = Path(__file__).parents[3]


def keys(block: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Full names of all settings below a block; `[]` stands for any item of a list."""
    for name, field in block.model_fields.items():
        full = f"{prefix}{field.alias or name}"
        inner, is_list = block_of(field.annotation)
        if inner is None or is_list or type(None) in get_args(field.annotation):
            yield full
        if inner is not None:
            yield from keys(inner, f"{full}[]." if is_list else f"{full}.")


def block_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The block in an annotation, if there is one, and whether it is the item of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, getattr(annotation, "__origin__", None) is tuple
    return None, False


def test_every_key_is_described_and_nothing_else() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").split("## Environment variables")[0]
    described = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert sorted(described) == sorted(keys(Settings))


def test_the_training_guide_compares_the_starters_values_with_the_paper() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    text = page.split("## Where the starter differs from the paper")[1]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|\n]*) \| [^|\n]+ \|$", text, flags=re.MULTILINE)
    described = [key for key, _ in rows]
    assert len(described) == len(set(described)) > 15
    assert set(described) <= set(keys(Settings))
    starter = yaml.safe_load(recipes.compose_text("starter", ROOT / "conf"))
    values = {key: description.default_of(key, starter) for key in described}
    assert {key: value for key, value in rows if values[key]} == {key: value for key, value in values.items() if value}


def test_help_lists_every_key_of_the_block_with_default_and_meaning() -> None:
    lines = description.help_text("train").splitlines()
    listed = [line.split(" = ")[0].strip() for line in lines if line.startswith("  train.")]
    assert sorted(listed) == sorted(key for key in keys(Settings) if key.startswith("train."))
    at = lines.index("  train.steps = 120")
    assert lines[at + 1] == "      optimizer steps of each arm"
    assert "  train.reader.lora = null" in lines
    assert "  train.reader.lora.rank" in lines


def test_without_the_repository_help_says_where_to_look(tmp_path: Path) -> None:
    assert "docs/settings.md" in description.help_text("train", tmp_path)
