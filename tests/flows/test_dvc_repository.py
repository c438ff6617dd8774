"""The shipped DVC settings, git-ignore and recipes, around a pipeline that is small."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jmlr.settings import params, recipes

ROOT = Path(__file__).parents[2]

PIPELINE = """
stages:
  ingest:
    cmd: {python} -c "import os; os.makedirs('build/ingest'); open('build/ingest/a', 'wb').write(os.urandom(9))"
    deps: ["${{ingest.root}}"]
    params: [ingest, seed]
    outs: [build/ingest]
"""


def call(folder: Path, *command: str) -> str:
    """What the command prints; an error shows it all."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def dvc(folder: Path, *arguments: str) -> str:
    return call(folder, sys.executable, "-m", "dvc", *arguments)


def make_data(folder: Path) -> None:
    """Stands for `jmlr starter data`: the same bytes on any machine."""
    (folder / "data").mkdir()
    (folder / "data" / "passages.jsonl").write_text("{}\n")


@pytest.fixture
def repository(git_author: None, made_once: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once("shipped_repository", _fill), tmp_path / "first"))


def _fill(folder: Path) -> None:
    (folder / ".dvc").mkdir()
    for name in (".gitignore", ".dvcignore", "params.yaml", ".dvc/config", ".dvc/.gitignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    make_data(folder)
    call(folder, "git", "init", "-q", ".")
    dvc(folder, "add", "-q", "data")
    dvc(folder, "repro", "-q")
    call(folder, "git", "add", ".")
    call(folder, "git", "commit", "-q", "--no-verify", "-m", "first")


def test_a_clone_that_makes_its_data_again_ends_up_to_date(repository: Path, tmp_path: Path) -> None:
    """Although its outputs have other bytes, as models trained on another machine have."""
    call(tmp_path, "git", "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone"
    assert not (clone / "data").exists()
    make_data(clone)
    dvc(clone, "repro", "-q")
    assert dvc(clone, "status") == "Data and pipelines are up to date."
    assert call(clone, "git", "status", "--porcelain") == "M dvc.lock"


def test_one_command_switches_the_recipe(repository: Path) -> None:
    outside = repository / recipes.load("pubmedqa", ROOT / "conf").ingest.root
    outside.mkdir(parents=True)
    (outside / "ori_pqal.json").write_text("{}")
    dvc(repository, "exp", "run", "-S", "recipe=pubmedqa", "-S", "seed=7")
    settings = params.load(repository / "params.yaml")
    assert (settings.recipe, settings.seed) == ("pubmedqa", 7)
    dvc(repository, "exp", "run", "-S", "recipe=starter")
    assert (repository / "params.yaml").read_text() == recipes.compose_text("starter", ROOT / "conf")
    assert call(repository, "git", "status", "--porcelain") == ""
