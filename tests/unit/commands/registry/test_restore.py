"""A version in a git and DVC repository of its own: looked at, and brought back by one command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from jmlr.commands.registry import register, restore, runs, show
from jmlr.errors import RegistryError, RestoreError
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.pair import HASH_RULE, Pair
from jmlr.settings import Settings, params, recipes
from jmlr.stages import layout
from jmlr.tracking.provenance import provenance
from jmlr.tracking.run import TrainingRun

CONF = Path(__file__).parents[4] / "conf"
MAKE = """
import os, pathlib
for place in ("retriever/weights", "reader/weights", "index/manifest.json"):
    path = pathlib.Path("build/train", place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(9))
pathlib.Path("build/ingest").mkdir(exist_ok=True)
pathlib.Path("build/ingest/passages.parquet").write_bytes(os.urandom(9))
"""
PIPELINE = """
stages:
  train:
    cmd: {python} make.py
    deps: [make.py]
    params: [seed]
    outs: [build/train, build/ingest]
"""


def call(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def settings(
    git_author: None,
    tracked: MlflowClient,
    made_once: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Of a repository that is the working folder, with a build of random bytes that is version 1."""
    monkeypatch.chdir(shutil.copytree(made_once("restored_repository", _fill), tmp_path / "first"))
    Path("note.txt").write_text("a file that git does not know yet\n")

    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["track"]["registered_model"] = raw["track"]["experiment"] = "restored"
    if not tracked.search_registered_models("name = 'restored'"):
        tracked.create_registered_model("restored")
    return params.parse(raw)


def _fill(folder: Path) -> None:
    (folder / "make.py").write_text(MAKE)
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    (folder / "params.yaml").write_text(recipes.compose_text("starter", CONF))
    for words in ("git init -q .", "dvc init -q", "dvc repro -q", "git add .", "git commit -q --no-verify -m first"):
        tool, *rest = words.split()
        call(*([sys.executable, "-m", "dvc"] if tool == "dvc" else [tool]), *rest, folder=folder)


def enter(client: MlflowClient, settings: Settings) -> str:
    """Registers the build with its record; the version's number."""
    with TrainingRun.start(settings.track.experiment, {"recipe": "starter"}, name="train") as run:
        run.log(1, {"test/accuracy/jmlr/value": 0.9, "test/retrieval/after/success_at_1": 0.8})
    places = (layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES)
    pair = Pair(*places, Path("params.yaml"))
    tags = {**provenance(), "pair_hash": pair.pair_hash(), "pair_hash_rule": str(HASH_RULE), "recipe": "starter"}
    version = client.create_model_version("restored", str(Path.cwd()), run_id=run.run_id, tags=tags)
    register.keep_record(Version.of(version))
    return str(version.version)


def test_one_command_brings_a_version_back_bit_by_bit(
    settings: Settings, tracked: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = enter(tracked, settings)
    weights = layout.TRAINED_READER / "weights"
    registered = weights.read_bytes()
    call(sys.executable, "-m", "dvc", "repro", "-q", "-f")
    assert weights.read_bytes() != registered
    Path("note.txt").unlink()

    restore.run(settings, number, tmp_path / "back")

    assert (tmp_path / "back" / weights).read_bytes() == registered
    assert (tmp_path / "back" / "note.txt").read_text() == "a file that git does not know yet\n"
    assert "the pair is the registered one, bit by bit" in capsys.readouterr().out
    with pytest.raises(RestoreError, match=r"(?s)1 file\(s\) differ from the commit: dvc\.lock.*stash"):
        restore.run(settings, number, None)


def test_a_pair_that_comes_back_otherwise_is_told(
    settings: Settings, tracked: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = enter(tracked, settings)
    tracked.set_model_version_tag("restored", number, "pair_hash", "0" * 64)
    restore.run(settings, number, tmp_path / "back")
    assert "the pair in it is NOT the registered one" in capsys.readouterr().out


def test_a_version_without_its_state_is_refused_with_the_command(
    settings: Settings, tracked: MlflowClient, tmp_path: Path
) -> None:
    run = TrainingRun.start(settings.track.experiment, {})
    tags = {"git_commit": "f" * 40}
    version = tracked.create_model_version("restored", str(tmp_path), run_id=run.run_id, tags=tags)
    with pytest.raises(RegistryError, match=r"(?s)it does not carry its state.*jmlr register"):
        restore.run(settings, str(version.version), tmp_path / "back")


def test_runs_and_show_tell_what_became_what(
    settings: Settings, tracked: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    number = enter(tracked, settings)
    tracked.set_registered_model_alias("restored", "champion", number)
    runs.run(settings, 20)
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "90.0 %" in line)
    assert re.split(r"\s{2,}", line)[2:] == ["starter", "90.0 %", "80.0 %", number]
    assert max(map(len, printed.splitlines())) <= 80
    show.run(settings, "@champion")
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    commit = provenance()["git_commit"]
    for told in (f"restored version {number}, champion", commit, f"restore: jmlr restore {number} FOLDER"):
        assert told in printed


def test_without_runs_the_next_command_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    raw = settings.model_dump(by_alias=True, mode="json")
    raw["track"]["experiment"] = "of nothing"
    runs.run(params.parse(raw), 20)
    assert capsys.readouterr().out == "no runs in experiment of nothing; next: dvc repro\n"
