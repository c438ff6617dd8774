"""Every key of params.yaml in words: the help of a command, conf/config.yaml and the tables of docs/settings.md.

All are made from the classes; `make params` (`python -m jmlr.settings.description`) writes the two files.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from jmlr.files import write_text
from jmlr.settings.blocks import Settings
from jmlr.settings.values import Block

DEFAULTS_FILE, PAGE = Path("conf/config.yaml"), Path("docs/settings.md")
LONGEST_LINE_CHARACTERS = 100
_CONF_CHARACTERS = 120
_TABLES = re.compile(r"(?s)(?<=<!-- settings: make params -->\n).*?(?=<!-- end -->)")
_CONF_HEAD = """\
# The default of every setting, made from jmlr/settings/ by `make params`; a recipe under conf/recipe/ overrides some.
# `dvc exp run -S recipe=NAME` composes both into params.yaml (Hydra) and runs the pipeline. [...]: what a key may be.
defaults:
  - _self_
  - recipe: starter
"""


@dataclass(frozen=True)
class Key:
    """One key of params.yaml.

    Attributes:
        name: dotted; `[]` stands for any item of a list.
        default: as YAML; empty for a key without one.
        may_be: its bounds or choices in words.
        paper: the paper's value; empty where it is not known.
        meaning: one or two sentences, markdown.
        inner: the class of a block; None for a value.
    """

    name: str
    default: str
    may_be: str
    paper: str
    meaning: str
    inner: type[Block] | None

    @property
    def plain(self) -> str:
        """The meaning without markdown."""
        return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", self.meaning).replace("`", "")


def keys(block: type[Block] = Settings, prefix: str = "") -> Iterator[Key]:
    """Every key below a block, with those blocks that may be null, in the order of the classes.

    >>> [key.name for key in keys() if key.name.startswith("train.reader.lora")][:2]
    ['train.reader.lora', 'train.reader.lora.rank']
    """
    for key in _of(block, prefix):
        if key.meaning:
            yield key
        if key.inner is not None:
            yield from keys(key.inner, f"{key.name}{'[]' if key.default == '[]' else ''}.")


def _of(block: type[Block], prefix: str) -> Iterator[Key]:
    for name, field in block.model_fields.items():
        told: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = told.get("default", ...)
        inner = _block_in(field.annotation)
        yield Key(
            f"{prefix}{field.alias or name}",
            "" if default is ... else _as_yaml(default),
            _may_be(field.annotation, field.metadata),
            str(told.get("paper", "")),
            field.description or "",
            inner,
        )


def _block_in(annotation: Any) -> type[Block] | None:
    """The block that an annotation is or holds."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next((found for part in get_args(annotation) if (found := _block_in(part))), None)


def _as_yaml(value: Any) -> str:
    listed = list(value) if isinstance(value, tuple) else value
    return str(yaml.safe_dump(listed, default_flow_style=True, sort_keys=False, width=1000)).split("\n")[0]


def _may_be(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What values a type takes, in words.

    >>> _may_be(Annotated[float, FieldInfo(gt=0, le=1)] | None), _may_be(Literal["raw", "minmax"])
    ('> 0, <= 1; null', 'raw, minmax')
    """
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _may_be(parts[0], [*metadata, *parts[1:]])
    if kind is Literal:
        return ", ".join(map(str, parts))
    if kind in (Union, UnionType):
        taken = " or ".join(_may_be(part, metadata) for part in parts if part is not NoneType)
        return f"{taken}; null" if NoneType in parts else taken
    if kind is tuple:
        return f"list: {_may_be(parts[0])}"
    if annotation in (int, float):
        return _bounds([one for part in metadata for one in (part.metadata if isinstance(part, FieldInfo) else [part])])
    if annotation is bool:
        return "true, false"
    return "text" if annotation is str else "block"


def _bounds(metadata: Sequence[Any]) -> str:
    found = {name: value for part in metadata for name, value in _named(part) if name in ("ge", "gt", "le", "lt")}
    if {"ge", "gt"} <= found.keys() and found["ge"] <= found["gt"]:
        del found["ge"]  # a stricter bound stands beside that of the kind of value
    if "ge" in found and "le" in found:
        return f"{found['ge']:,} to {found['le']:,}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return ", ".join(f"{signs[name]} {found[name]:,}" for name in signs if name in found) or "any number"


def _named(part: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of a bound, as pydantic keeps it."""
    return ((name, getattr(part, name)) for name in getattr(part, "__slots__", ()))


def help_text(block: str) -> str:
    """Every key of a block of params.yaml with its default and its meaning.

    Args:
        block: for example `train`.
    """
    width = min(shutil.get_terminal_size().columns, LONGEST_LINE_CHARACTERS)
    lines = [
        "",
        f"Settings, block {block} of params.yaml: key = default; a recipe may set another. [...]: what it may be.",
        f"Change one: dvc exp run -S {block}.KEY=VALUE. All blocks: docs/settings.md.",
        "",
    ]
    for key in keys():
        if key.name.startswith(f"{block}."):
            lines.append(f"  {key.name} = {key.default}" if key.default else f"  {key.name}")
            paper = f" Paper: {key.paper}." if key.paper else ""
            told = f"{key.plain} [{key.may_be}]{paper}"
            lines += textwrap.wrap(told, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines) + "\n"


def defaults_text() -> str:
    """The text of conf/config.yaml."""
    return _CONF_HEAD + "".join(f"{line}\n" for line in _defaults(Settings, ""))


def _defaults(block: type[Block], indent: str) -> Iterator[str]:
    for key in _of(block, ""):
        is_block = key.inner is not None and not key.default
        if not is_block and not key.default:
            continue
        told = f"{key.plain} [{key.may_be}]" if key.meaning else _first_line(key.inner)
        yield from [] if indent else [""]
        yield from textwrap.wrap(told, _CONF_CHARACTERS, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        yield f"{indent}{key.name}:" + ("" if is_block else f" {key.default}")
        if is_block and key.inner is not None:
            yield from _defaults(key.inner, f"{indent}  ")


def _first_line(block: type[Block] | None) -> str:
    return (block.__doc__ or "").partition("\n")[0] if block else ""


def tables() -> str:
    """The tables of docs/settings.md: one of the keys outside any block, then one a block."""
    top = list(_of(Settings, ""))
    parts = [_table([key for key in top if key.inner is None])]
    for key in top:
        if key.inner is not None:
            heading = f"## {key.name}\n\n{_first_line(key.inner)}\n"
            parts.append(f"{heading}\n{_table(list(keys(key.inner, f'{key.name}.')))}")
    return "\n" + "\n".join(parts) + "\n"


def _table(rows: Sequence[Key]) -> str:
    with_paper = any(key.paper for key in rows)
    names = ["key", "default", "may be", *(["paper"] if with_paper else []), "meaning"]
    lines = [names, ["---"] * len(names)]
    for key in rows:
        paper = [key.paper] if with_paper else []
        lines.append([f"`{key.name}`", key.default, key.may_be, *paper, key.meaning])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page_text(page: str) -> str:
    """docs/settings.md with its tables made anew."""
    return _TABLES.sub(lambda _: tables(), page)


def main() -> None:
    """Writes conf/config.yaml and the tables of docs/settings.md."""
    write_text(DEFAULTS_FILE, defaults_text())
    write_text(PAGE, page_text(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
