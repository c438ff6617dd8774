"""Every `next:` of every error is followed once: what it names is there.

All texts given as `next_step` in the code are collected from its syntax trees, names of constants looked up, and each
command, settings key, stage, target and page they name is looked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from jmlr.cli import app
from jmlr.settings import Settings

ROOT = Path(__file__).parents[3]
STAGES = set(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
DVC = {"repro", "exp", "add", "pull", "status", "remote", "fetch", "unlock", "gc"}
SENTENCE_GOES_ON = {"", "makes", "goes", "and", "then", "or"}
"""What may follow `dvc repro` besides a stage."""
PROSE = ("in ", "out ")
"""What follows the word jmlr where it is no command: run jmlr in ..., take jmlr out of ..."""
HOLE = "\N{BULLET}"
"""Stands for a value that only the run knows."""


def texts_of(node: ast.expr, known: dict[str, list[ast.expr]], depth: int = 0) -> Iterator[str]:
    """All texts that an expression may be, as far as the tree tells."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        made = [""]
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            found = list(texts_of(inner, known, depth)) or [HOLE]
            made = [before + after for before in made for after in found]
        yield from made
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body, known, depth)
        yield from texts_of(node.orelse, known, depth)
    elif isinstance(node, ast.BinOp):
        yield from (
            left + right for left in texts_of(node.left, known, depth) for right in texts_of(node.right, known, depth)
        )
    elif isinstance(node, (ast.Name, ast.Attribute)) and depth < 4:
        name = node.id if isinstance(node, ast.Name) else node.attr
        for value in known.get(name, []):
            yield from texts_of(value, known, depth + 1)


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names and the expressions they are set to, wherever in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=False))
                yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def next_steps() -> list[str]:
    """Every text that the code gives as `next_step`, once."""
    files = [path for room in ("jmlr", "flows") for path in sorted((ROOT / room).rglob("*.py"))]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    constants: dict[str, list[ast.expr]] = {}
    for tree in trees:
        for name, value in assigned(ast.Module([node for node in tree.body if isinstance(node, ast.Assign)], [])):
            constants.setdefault(name, []).append(value)
    found: set[str] = set()
    for tree in trees:
        known = dict(constants)
        for name, value in assigned(tree):
            if name not in constants:
                known[name] = [*known.get(name, []), value]
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "next_step":
                found.update(texts_of(node.value, known))
    return sorted(found - {""})


STEPS = next_steps()


def lacking_in_jmlr(words: list[str]) -> str:
    """What there is not of `jmlr WORDS`; empty where all of it is there."""
    command: Any = typer.main.get_command(app.app)
    for depth, word in enumerate(words):
        if not hasattr(command, "commands"):
            known = {option for parameter in command.params for option in parameter.opts}
            return " ".join(rest for rest in words[depth:] if rest.startswith("-") and rest not in known)
        if word not in command.commands:
            return word
        command = command.commands[word]
    return "a command" if hasattr(command, "commands") else ""


def settings_keys() -> set[str]:
    """Names of all keys and blocks of params.yaml."""
    from pydantic import BaseModel

    def below(block: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in block.model_fields.items():
            full = f"{prefix}{field.alias or name}"
            yield full
            for inner in re.findall(r"jmlr\.settings\.\w+\.(\w+)", str(field.annotation)) or [""]:
                kind = next((one for one in all_blocks(Settings) if one.__name__ == inner), None)
                if kind is not None:
                    yield from below(kind, f"{full}.")

    return set(below(Settings, ""))


def all_blocks(block: type) -> set[type]:
    """Every class of settings."""
    from jmlr.settings import Block

    found, todo = set(), [Block]
    while todo:
        kinds = todo.pop().__subclasses__()
        found.update(kinds)
        todo += kinds
    return found


KEYS = settings_keys()
BLOCKS = "|".join(sorted({key.split(".")[0] for key in KEYS}))


def test_the_steps_are_found() -> None:
    """A change of how errors are made must not leave this file with nothing to look at."""
    assert len(STEPS) > 120
    assert any("jmlr promote" in step for step in STEPS)


def lacking(step: str) -> list[str]:
    """What a next step names and there is not."""
    found = [
        lacking_in_jmlr(words.split())
        for words in re.findall(r"\bjmlr ((?:[a-z][a-z-]*)(?: (?:--?[a-z][a-z-]*|[a-z]+|[A-Z]+))*)", step)
        if not words.startswith(PROSE)
    ]
    for word, stage in re.findall(r"\bdvc ([a-z]+)(?: (?:-f )?([a-z]+))?", step):
        found.append("" if word in DVC else f"dvc {word}")
        found.append(stage if word == "repro" and stage not in STAGES | SENTENCE_GOES_ON else "")
    found += [name for name in re.findall(r"(?:^|[`(])make ([a-z][a-z-]*)", step) if name not in TARGETS | {"or"}]
    found += [
        name
        for name in re.findall(r"python -m (flows\.\w+)", step)
        if not (ROOT / f"{name.replace('.', '/')}.py").exists()
    ]
    found += [
        key for key in re.findall(rf"(?<!-m )(?<![\w/.-])((?:{BLOCKS})(?:\.[a-z_0-9]+)+)", step) if key not in KEYS
    ]
    found += [page for page in re.findall(r"docs/\w+\.md", step) if not (ROOT / page).exists()]
    return [name for name in found if name]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[:60])
def test_what_a_next_step_names_is_there(step: str) -> None:
    assert lacking(step) == []


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("jmlr frobnicate", "frobnicate"),
        ("jmlr promote --aprove, by a person", "--aprove"),
        ("jmlr data", "a command"),
        ("`dvc repro trian`", "trian"),
        ("dvc rebuild", "dvc rebuild"),
        ("make ups", "ups"),
        ("python -m flows.retrian", "flows.retrian"),
        ("raise train.stepz", "train.stepz"),
        ("see docs/nothing.md", "docs/nothing.md"),
    ],
)
def test_a_dead_end_is_found(step: str, name: str) -> None:
    assert lacking(step) == [name]
