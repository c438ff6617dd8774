"""dvc.yaml lists what each stage reads: no key of params.yaml and no module more or less.

A stage that reads a setting dvc.yaml does not name would not run again when it changes, and its old result would be
taken for the new one. Modules are those of the import graph (stage_code.py). The check of keys is static: it follows
`settings.BLOCK.KEY` through the module of the stage, and through all to which it hands `settings` whole.
"""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import yaml

from jmlr.cli import app
from jmlr.settings import Settings

ROOT = Path(__file__).parents[2]
stage_code = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("stage_code.py"))))
module_path = stage_code.module_path
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def is_settings(node: ast.expr) -> bool:
    """Whether the expression is called settings: `settings`, `self.settings`, `self._settings`."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.lstrip("_") == "settings"


def key_of(node: ast.Attribute) -> str | None:
    """The key of params.yaml that `settings.A.B.C` reads, as far as A, B, C are keys; None for other attributes."""
    chain: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute) and not is_settings(inner):
        chain.insert(0, inner.attr)
        inner = inner.value
    if not is_settings(inner):
        return None
    block: Any = Settings
    names: list[str] = []
    for attribute in chain:
        field = getattr(block, "model_fields", {}).get(attribute)
        if field is None:
            break
        names.append(field.alias or attribute)
        block = field.annotation
    return ".".join(names) or None


def widest(keys: set[str]) -> list[str]:
    """The keys without those inside another one of them, sorted."""
    return sorted(key for key in keys if not any(key.startswith(f"{other}.") for other in keys))


def keys_read(tree: ast.AST) -> set[str]:
    """Keys of params.yaml that the code takes from settings."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    longer = {id(node.value) for node in attributes}  # `settings.train` inside `settings.train.steps`
    keys = {key_of(node) for node in attributes if id(node) not in longer}
    return set(widest({key for key in keys if key}))


def arguments(call: ast.Call) -> list[ast.expr]:
    """All arguments of a call."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


class Code(NamedTuple):
    """A top-level function or class of a module; the whole module if `name` is empty."""

    module: str
    name: str = ""

    def tree(self) -> ast.AST:
        """Its syntax tree; an empty one if the module has no such name."""
        whole = ast.parse(module_path(self.module).read_text(encoding="utf-8"))
        if not self.name:
            return whole
        found = next((node for node in whole.body if getattr(node, "name", "") == self.name), ast.Module([]))
        # An object keeps the settings it was given, and any function of its module may read them there.
        return whole if isinstance(found, ast.ClassDef) else found

    def given_all_settings(self) -> Iterator[Code]:
        """Functions and classes of the project that it calls with `settings` itself."""
        whole = ast.parse(module_path(self.module).read_text(encoding="utf-8"))
        origin = {node.name: Code(self.module, node.name) for node in whole.body if hasattr(node, "name")}
        for node in ast.walk(whole):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jmlr"):
                origin |= {alias.asname or alias.name: Code(str(node.module), alias.name) for alias in node.names}
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.Call) and any(is_settings(argument) for argument in arguments(node)):
                yield from called(node.func, origin)


def called(function: ast.expr, origin: dict[str, Code]) -> Iterator[Code]:
    """The project's code behind `f(...)`, `module.f(...)` or `Class.f(...)`."""
    chain: list[str] = []
    while isinstance(function, ast.Attribute):
        chain.insert(0, function.attr)
        function = function.value
    if isinstance(function, ast.Name) and function.id in origin:
        code = origin[function.id]
        as_module = f"{code.module}.{code.name}"
        yield Code(as_module, chain[0]) if chain and module_path(as_module).exists() else code


def keys_of(module: str) -> list[str]:
    """Keys that a stage or command reads, itself or through those to which it hands all settings."""
    found: set[str] = set()
    waiting, seen = [Code(module)], set()
    while waiting:
        code = waiting.pop()
        if code not in seen and not code.module.startswith("jmlr.settings"):
            seen.add(code)
            found |= keys_read(code.tree())
            waiting.extend(code.given_all_settings())
    return widest(found)


def exists(stage: str) -> bool:
    return module_path(f"jmlr.stages.{stage}").exists()


BUILT = [stage for stage in STAGES if exists(stage)]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_its_own_command(stage: str) -> None:
    assert STAGES[stage]["cmd"] == f"jmlr {stage}"
    assert hasattr(app, stage)
    assert exists(stage)


@pytest.mark.parametrize("stage", BUILT)
def test_params_are_exactly_the_keys_the_stage_reads(stage: str) -> None:
    assert sorted(STAGES[stage]["params"]) == keys_of(f"jmlr.stages.{stage}")


def test_every_stage_depends_on_the_code_it_runs_and_on_no_other() -> None:
    """Else DVC calls a stage up to date whose code has changed, or runs one again for nothing."""
    imports = stage_code.import_graph()
    assert stage_code.pipeline(imports) == stage_code.PIPELINE.read_text(encoding="utf-8"), "run `make deps`"
    for stage in STAGES:
        shared = {f"jmlr/{name}.py" for name in ("types", "fingerprint", "files", "settings/params", "cli/table")}
        assert shared | {f"jmlr/stages/{stage}.py"} <= {path.as_posix() for path in stage_code.files_of(imports, stage)}
    assert "jmlr/starter/knowledge" in STAGES["base"]["deps"]  # read by code that is imported inside a function
    assert "jmlr/evaluation/report/report.html.j2" in {str(path) for path in stage_code.files_of(imports, "evaluate")}


def test_no_stage_writes_into_the_data_folder() -> None:
    """data/ is tracked by data.dvc: one output in it and DVC refuses the pipeline."""
    paths = [str(output) for stage in STAGES.values() for output in stage["outs"]]
    assert [path for path in paths if "data" in path.split("/")[0]] == []


def test_training_survives_a_retry() -> None:
    """DVC deletes an output before it runs the stage, unless it persists: a resume needs the checkpoints."""
    assert STAGES["train"]["outs"] == [{"build/train": {"persist": True}}]


def test_the_check_sees_settings_that_are_read() -> None:
    code = "print(settings.seed, self._settings.validate_.min_options, settings.train.reader.dtype, settings.recipes)"
    assert keys_read(ast.parse(code)) == {"seed", "validate.min_options", "train.reader.dtype"}
    assert keys_read(ast.parse("settings.index.model_dump(), settings.index.bits")) == {"index"}
    assert keys_read(ast.parse("other.seed")) == set()


def test_the_check_follows_settings_that_are_handed_on() -> None:
    assert keys_of("jmlr.commands.serve.ask") == [
        "evaluate.questions_per_batch",
        "index",
        "prompt",
        "track.registered_model",
        "train.read_passages",
        "train.reader.attention",
        "train.reader.dtype",
    ]
