"""What people mistype at every command: exit status 2, one message, no traceback, and nothing is written."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from jmlr.cli import app
from jmlr.settings import recipes

CONF = Path(__file__).parents[3] / "conf"

IN_A_FRESH_REPOSITORY = """
ingest | ingest --workers 0 | ingest --workers two | validate | base | index | train | train extra | evaluate
evaluate --reader nowhere | evaluate --reader ./a_file | evaluate --revision abc | evaluate --version 1 --reader x
evaluate --refreshed | evaluate --version "" | evaluate --reader= | evaluate --version "not a version"
refresh | refresh --version two | refresh --version "" | results | register | register --refreshed
compare | compare nowhere | compare a_file | compare empty | compare ""
rationales | rationales --arm jmlr | rationales --arm jmlr --judge x | rationales --arm jmlr --judge x@notaurl
ask why | ask why -o a | ask "" -o a -o b | ask why -o a -o b | ask why -o a -o " "
recipes --use nope | recipes --use "" | data | data nope | data show p1 | data show "" | data sample | data sample nope
data sample --count 0 | data sample --count x | data stats | data accept
starter data --folder a_file | starter data --folder a_file/below | starter data --folder /proc/nowhere
starter data --folder "" | promote --version 0 | promote --version x | rollback --to x | runs --most 0
show x | show "" | show models:/ | restore x y | withdraw gout | withdraw "" --reason r
withdraw gout --reason r --kind nope | predict empty.jsonl | predict "" out.parquet | export "" | import nowhere
import a_file | import empty | import "" | serve --port 99999 | serve --port x | serve --version build --host 256.1.1.1
ui --version build --host "no such host" | nope | --nope
"""
IN_A_WRONG_FOLDER = [
    *(
        "ingest",
        "validate",
        "base",
        "index",
        "train",
        "evaluate",
        "register",
        "results",
        "recipes",
        "refresh",
        "promote",
    ),
    *("rollback", "audit", "runs", "show", "serve", "ui", "data sample", "data accept", "compare x", "export out"),
    *("import x", "restore 1 x", "withdraw x --reason r", "predict a.jsonl b.parquet", "ask why -o a -o b"),
]
WORDS = [one.strip() for one in IN_A_FRESH_REPOSITORY.strip().replace("\n", " | ").split(" | ")]
HELP = {"data"}
"""A group without a command shows its help."""

HARMLESS = {"build", "costs.jsonl", "costs", "failed.json"}
"""What every stage notes of itself."""


def status_of(monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    """Exit status of `jmlr WORDS`; what else leaves the command line would be a traceback."""
    monkeypatch.setattr(sys, "argv", ["jmlr", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def params() -> str:
    return recipes.compose_text("starter", CONF).replace("stages: true", "stages: false")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_store: str) -> Path:
    """A working folder with what may be mistaken for something else, and an empty registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    (tmp_path / "a_file").write_text("x", encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize("words", WORDS)
def test_a_mistyped_command_ends_with_a_message(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], params: str, words: str
) -> None:
    (here / "params.yaml").write_text(params, encoding="utf-8")
    before = sorted(here.rglob("*"))
    assert status_of(monkeypatch, words) == 2
    told = capsys.readouterr()
    assert told.err.strip() or words in HELP
    assert "Traceback" not in told.err
    assert [path for path in sorted(here.rglob("*")) if path not in before and path.parts[-1] not in HARMLESS] == []


@pytest.mark.parametrize("words", IN_A_WRONG_FOLDER)
def test_in_a_wrong_folder_it_says_where_to_run(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert status_of(monkeypatch, words) == 2
    assert "repository's root" in capsys.readouterr().err


def test_debug_shows_where_a_place_failed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["jmlr", "--debug", "starter", "data", "--folder", "a_file"])
    with pytest.raises(OSError, match="a_file"):
        app.main()
