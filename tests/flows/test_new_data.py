"""Data fetched by real DVC, from an import, a remote and the cache, and told from those of the newest version."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows import new_data
from flows.new_data import fetch_data, whats_new
from jmlr import fingerprint
from jmlr.errors import DataError
from jmlr.registry.version.lookup import Version


def dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr


def make(folder: Path) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    return folder


def write(folder: Path, words: str) -> None:
    """Replaces the file: DVC may have linked it from its cache."""
    folder.mkdir(exist_ok=True)
    (folder / "words.txt").unlink(missing_ok=True)
    (folder / "words.txt").write_text(words)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(new_data, "get_run_logger", lambda: logging.getLogger("test"))
    return make(tmp_path / "repository")


def test_an_import_is_updated(repository: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "old")
    dvc(repository, "import-url", "-q", str(tmp_path / "elsewhere"), "data")
    before = (repository / "data.dvc").read_text()
    write(tmp_path / "elsewhere", "new")
    fetch_data("data", repository)
    assert (repository / "data" / "words.txt").read_text() == "new"
    assert (repository / "data.dvc").read_text() != before


def test_data_that_are_missing_come_from_the_remote_and_without_one_from_the_cache(
    repository: Path, tmp_path: Path
) -> None:
    write(repository / "data", "first")
    dvc(repository, "add", "-q", "data")
    first = (repository / "data.dvc").read_text()
    write(repository / "data", "second")
    dvc(repository, "add", "-q", "data")
    (repository / "data.dvc").write_text(first)  # as `git checkout` does
    fetch_data("data", repository)
    assert (repository / "data" / "words.txt").read_text() == "first"

    dvc(repository, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    dvc(repository, "push", "-q", "data.dvc")
    clone = make(tmp_path / "clone")
    (clone / ".dvc" / "config").write_text((repository / ".dvc" / "config").read_text())
    (clone / "data.dvc").write_text(first)
    fetch_data("data", clone)
    assert (clone / "data" / "words.txt").read_text() == "first"


def test_data_that_nobody_pinned_are_refused_and_stay(repository: Path) -> None:
    write(repository / "data", "pinned")
    dvc(repository, "add", "-q", "data")
    write(repository / "data", "by hand")
    with pytest.raises(DataError, match=r"(?s)not what data\.dvc says.*`dvc add data` takes the data as they lie"):
        fetch_data("data", repository)
    assert (repository / "data" / "words.txt").read_text() == "by hand"
    fetch_data("../other/sources", repository)  # a recipe whose sources lie elsewhere


def test_data_are_new_if_no_version_has_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.dvc").write_text("outs: []\n")
    known = {"data_dvc_hash": fingerprint.of_file(tmp_path / "data.dvc")}
    status: dict[str, Any] = {}
    monkeypatch.setattr("flows.new_data.status", lambda root, targets: status)
    assert whats_new(None, tmp_path) == "no version is registered yet"
    assert whats_new(Version(3, "", {}), tmp_path) == "data.dvc is another than that of version 3"
    assert whats_new(Version(3, "", known), tmp_path) == ""
    status["ingest"] = [{"changed deps": {"jmlr/data": "modified", "params.yaml": {"ingest.root": "modified"}}}]
    status["ingest"].append({"changed deps": {"withdrawn.yaml": "modified"}})
    assert whats_new(Version(3, "", known), tmp_path) == "changed since ingest last ran: withdrawn.yaml"
