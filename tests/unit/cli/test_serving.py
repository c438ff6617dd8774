"""`jmlr serve` and `jmlr ui`: what they hand to the stage, and how the stage picks models and addresses."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from jmlr.cli import app
from jmlr.commands.serve import serve
from jmlr.commands.serve.serve import COMPARED, Wanted
from jmlr.errors import RegistryError
from jmlr.serving.model import Label
from jmlr.settings import Settings, params

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What the stage is called with, from a folder with the starter's params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PARAMS, tmp_path)
    seen: list[Wanted] = []
    fake = ModuleType("jmlr.commands.serve.serve")
    fake.Wanted = Wanted  # type: ignore[attr-defined]
    fake.run = lambda settings, wanted: seen.append(wanted)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jmlr.commands.serve.serve", fake)
    return seen


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["serve"], Wanted("@champion", ())),
        (["serve", "--version", "3", "--host", "::1", "--port", "0"], Wanted("3", (), "::1", 0)),
        (["ui"], Wanted("@champion", None, page=True)),
        (["ui", "--compare", "none"], Wanted("@champion", (), page=True)),
        (["ui", "--version", "build", "--compare", "2", "--compare", "closed_book"],
         Wanted("build", ("2", "closed_book"), page=True)),
    ],
)  # fmt: skip
def test_the_commands_hand_on_what_is_wanted(calls: list[Wanted], words: list[str], wanted: Wanted) -> None:
    result = CliRunner().invoke(app.app, words)
    assert result.exit_code == 0, result.output
    assert calls == [wanted]


@pytest.fixture
def settings(repository: Path) -> Settings:
    return params.load(repository / "params.yaml")


class Loaded:
    def __init__(self, spec: str, pair_hash: str | None) -> None:
        self.label = Label("jmlr", None, spec, pair_hash)


def test_what_there_is_to_compare_is_loaded_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"@champion": "a", "@challenger": "a", "2": "b"}

    def load(settings: Settings, spec: str) -> Loaded:
        if spec not in there:
            raise RegistryError("no such version", where=spec)
        return Loaded(spec, there[spec])

    monkeypatch.setattr(serve, "_load_one", load)

    def roles(wanted: Wanted) -> list[str]:
        return [model.label.role for model in serve.load(settings, wanted)]

    assert roles(Wanted()) == ["@champion"]
    assert roles(Wanted(compare=None)) == ["@champion"]  # the challenger is the same pair, the closed book is missing
    assert roles(Wanted("2", compare=None)) == ["2", "@champion"]
    with pytest.raises(RegistryError, match="closed_book: no such version"):
        roles(Wanted(compare=("closed_book",)))
    assert COMPARED[0] == "@champion"


@pytest.mark.parametrize(
    ("host", "called"),
    [(None, True), ("localhost", True), ("jmlr.example.org", True), ("0.0.0.0", False)],
)
def test_a_host_that_is_named_may_be_called_by_its_name(settings: Settings, host: str | None, called: bool) -> None:
    limits = serve._limits(settings.serve, Wanted(host=host))
    assert (limits.host in limits.hosts) == called


def test_without_a_build_there_is_neither_pair_nor_closed_book(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for spec in (serve.BUILD, serve.CLOSED_BOOK):
        with pytest.raises(RegistryError, match="missing"):
            serve.load(settings, Wanted(spec))
    assert serve.exam_questions() == ()
