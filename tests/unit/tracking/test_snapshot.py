"""Code, settings and data come back from git and DVC's cache, in repositories of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jmlr.errors import RestoreError
from jmlr.tracking.snapshot import PATCH, restore_snapshot, write_snapshot

PIPELINE = """
stages:
  train:
    cmd: {python} -c "import os; os.makedirs('build'); open('build/model', 'wb').write(os.urandom(9))"
    deps: [code.py]
    params: [seed]
    outs: [build]
"""


def call(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(git_author: None, made_once: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once("snapshot_repository", _fill), tmp_path / "first"))


def _fill(folder: Path) -> None:
    call(folder, "git", "init", "-q", ".")
    call(folder, sys.executable, "-m", "dvc", "init", "-q")
    (folder / ".gitignore").write_text("/build\n")
    (folder / "code.py").write_text("one\n")
    (folder / "params.yaml").write_text("seed: 1\n")
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    call(folder, sys.executable, "-m", "dvc", "repro", "-q")
    call(folder, "git", "add", ".")
    call(folder, "git", "commit", "-q", "--no-verify", "-m", "first")


def train_again(folder: Path, seed: int) -> bytes:
    (folder / "params.yaml").write_text(f"seed: {seed}\n")
    call(folder, sys.executable, "-m", "dvc", "repro", "-q")
    return (folder / "build" / "model").read_bytes()


def test_a_changed_state_comes_back_in_a_new_folder_bit_by_bit(repository: Path, tmp_path: Path) -> None:
    model = train_again(repository, seed=2)
    (repository / "code.py").write_text("two\n")
    (repository / "new.py").write_text("not yet known to git\n")
    commit = call(repository, "git", "rev-parse", "HEAD")
    status = call(repository, "git", "status", "--porcelain")
    write_snapshot(tmp_path / "state", repository)
    assert call(repository, "git", "status", "--porcelain") == status
    call(repository, "git", "checkout", "-q", "--force", "HEAD")
    train_again(repository, seed=3)

    place = restore_snapshot(tmp_path / "state", commit, tmp_path / "back", repository)

    assert (place / "build" / "model").read_bytes() == model
    assert (place / "params.yaml").read_text() == "seed: 2\n"
    assert (place / "code.py").read_text() == "two\n"
    assert (place / "new.py").read_text() == "not yet known to git\n"
    assert call(place, "git", "rev-parse", "HEAD") == commit
    assert (repository / "params.yaml").read_text() == "seed: 3\n"


def test_a_clean_checkout_goes_back_in_place_and_a_changed_one_is_not_touched(repository: Path, tmp_path: Path) -> None:
    model = (repository / "build" / "model").read_bytes()
    commit = call(repository, "git", "rev-parse", "HEAD")
    write_snapshot(tmp_path / "state", repository)
    assert not (tmp_path / "state" / PATCH).exists()
    train_again(repository, seed=4)
    with pytest.raises(RestoreError, match=r"(?s)2 file\(s\) differ .*: dvc\.lock, params\.yaml; .*stash"):
        restore_snapshot(tmp_path / "state", commit, None, repository)
    assert (repository / "params.yaml").read_text() == "seed: 4\n"
    call(repository, "git", "commit", "-q", "--no-verify", "-a", "-m", "second")
    restore_snapshot(tmp_path / "state", commit, None, repository)
    assert (repository / "build" / "model").read_bytes() == model


def test_what_is_in_the_way_or_gone_is_named(repository: Path, tmp_path: Path) -> None:
    commit = call(repository, "git", "rev-parse", "HEAD")
    write_snapshot(tmp_path / "state", repository)
    with pytest.raises(RestoreError, match="state: it is there; expected a new folder"):
        restore_snapshot(tmp_path / "state", commit, tmp_path / "state", repository)
    with pytest.raises(RestoreError, match="f{40}: git does not know this commit"):
        restore_snapshot(tmp_path / "state", "f" * 40, tmp_path / "back", repository)
    shutil.rmtree(repository / ".dvc" / "cache")
    with pytest.raises(RestoreError, match=r"(?s)checkout --quiet failed: .*dvc pull, where a remote is set"):
        restore_snapshot(tmp_path / "state", commit, tmp_path / "back", repository)


def test_outside_git_there_is_no_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    write_snapshot(tmp_path / "state", tmp_path)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["params.yaml"]
