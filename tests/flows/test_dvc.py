"""What DVC tells the flows, and its list cut off by a kill, which would stop it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows import dvc, pipeline
from flows.dvc import forget_cut_off

PIPELINE = "stages:\n  a:\n    cmd: echo x > a.txt\n    outs: [a.txt]\n"


def repro(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "dvc", "repro"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("left", ["", '{"read": {"/some'])
def test_dvc_works_again_after_its_list_was_cut_off(tmp_path: Path, left: str) -> None:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / ".dvc" / "tmp" / "rwlock").write_text(left)
    refused = repro(tmp_path)
    assert "Unable to read RWLock-file" in refused.stderr
    assert forget_cut_off(tmp_path)
    assert repro(tmp_path).returncode == 0
    assert (tmp_path / "a.txt").exists()


def test_a_whole_list_stays(tmp_path: Path) -> None:
    path = tmp_path / ".dvc" / "tmp" / "rwlock"
    assert not forget_cut_off(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('{"read": {}, "write": {}}')
    assert not forget_cut_off(tmp_path)
    assert path.exists()


def test_dvc_says_whether_there_is_anything_to_do(tiny_repository: Path) -> None:
    assert dvc.is_up_to_date(tiny_repository)
    (tiny_repository / "data" / "a").write_text("second")
    assert not dvc.is_up_to_date(tiny_repository)


def test_a_missing_output_and_a_held_lock_are_not_up_to_date(tiny_repository: Path) -> None:
    (tiny_repository / "a.txt").unlink()
    assert not dvc.is_up_to_date(tiny_repository)
    assert not dvc.is_up_to_date(tiny_repository / "data" / "nowhere")


@pytest.mark.parametrize(("nothing_to_do", "called"), [(True, "cached first"), (False, "run first")])
def test_stages_run_through_dvc_unless_nothing_has_changed(
    tiny_repository: Path, monkeypatch: pytest.MonkeyPatch, nothing_to_do: bool, called: str
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(pipeline, "is_up_to_date", lambda folder: nothing_to_do)
    monkeypatch.setattr(pipeline, "mark_cached", lambda stage: calls.append(f"cached {stage}"))
    monkeypatch.setattr(pipeline, "run_stage", lambda stage, folder: calls.append(f"run {stage}"))
    pipeline.bring_up_to_date(tiny_repository)
    assert calls == [called]
