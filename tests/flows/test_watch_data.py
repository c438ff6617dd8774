"""What counts as a change of the data, and that each is told once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows import watch_data
from jmlr.errors import DataError


def test_the_state_of_the_data_changes_with_the_files_and_with_data_dvc(tiny_repository: Path) -> None:
    clean = watch_data.state_of_data(tiny_repository)
    assert clean["status"] == ""
    (tiny_repository / "data" / "a").write_text("second")
    modified = watch_data.state_of_data(tiny_repository)
    assert modified["data_dvc_hash"] == clean["data_dvc_hash"]
    assert "modified" in modified["status"]
    add_data(tiny_repository)
    assert watch_data.state_of_data(tiny_repository)["data_dvc_hash"] != clean["data_dvc_hash"]


def test_no_data_dvc_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.dvc: no such file.*\n.*dvc add data"):
        watch_data.state_of_data(tmp_path)


def test_a_broken_data_dvc_is_an_error_with_what_dvc_says(tiny_repository: Path) -> None:
    (tiny_repository / "data.dvc").write_text("outs: [")
    with pytest.raises(DataError, match=r"(?s)data\.dvc: DVC cannot tell its state: .*data\.dvc"):
        watch_data.state_of_data(tiny_repository)


def test_the_first_look_remembers_and_each_change_is_told_once(
    tiny_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.chdir(tiny_repository)
    monkeypatch.setattr(watch_data, "emit_event", lambda event, **rest: told.append({"event": event, **rest}))
    assert not watch_data.watch_data.fn()
    (tiny_repository / "data" / "a").write_text("second")
    add_data(tiny_repository)
    assert watch_data.watch_data.fn()
    assert not watch_data.watch_data.fn()
    assert [one["event"] for one in told] == ["jmlr.data.changed"]
    assert told[0]["resource"] == {"prefect.resource.id": f"jmlr.data.{tiny_repository}"}
    assert told[0]["payload"]["now"] == json.loads(watch_data.SEEN.read_text())


def add_data(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], cwd=folder, check=True, timeout=120)
