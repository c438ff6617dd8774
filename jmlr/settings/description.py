"""What docs/settings.md says of each setting, with its default of conf/config.yaml, for the help of a command.

Both files are those of the repository that this package lies in: it is installed from there, and nothing is said twice.
"""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LONGEST_LINE_CHARACTERS = 100
_ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", flags=re.MULTILINE)


def help_text(block: str, root: Path = ROOT) -> str:
    """Every key of a block of params.yaml with its default and its meaning, and where to read on.

    Args:
        block: for example `train`.
        root: the repository.
    """
    doc, defaults = root / "docs" / "settings.md", root / "conf" / "config.yaml"
    if not doc.exists() or not defaults.exists():
        return "\nSettings are in params.yaml; docs/settings.md of the repository explains every one.\n"
    values = yaml.safe_load(defaults.read_text(encoding="utf-8"))
    width = min(shutil.get_terminal_size().columns, LONGEST_LINE_CHARACTERS)
    lines = [
        "",
        f"Settings, block {block} of params.yaml: key = default (conf/config.yaml; a recipe may set another).",
        "docs/settings.md has every block; docs/training.md compares with the paper.",
        f"Change one: dvc exp run -S {block}.KEY=VALUE",
        "",
    ]
    for key, meaning in _ROW.findall(doc.read_text(encoding="utf-8")):
        if key.startswith(f"{block}."):
            default = default_of(key, values)
            lines.append(f"  {key} = {default}" if default else f"  {key}")
            lines += textwrap.wrap(meaning.replace("`", ""), width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines) + "\n"


def default_of(key: str, values: Mapping[str, Any]) -> str:
    """The value of a dotted key as text; empty for a block, and for a key of a block that is null.

    >>> default_of("train.arms", {"train": {"arms": ["rag", "jmlr"], "reader": {"lora": None}}})
    '[rag, jmlr]'
    >>> default_of("train.reader.lora.rank", {"train": {"reader": {"lora": None}}})
    ''
    """
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return ""
        found = found[part]
    return "" if isinstance(found, Mapping) else json.dumps(found).replace('"', "")
