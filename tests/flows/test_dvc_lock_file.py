"""A list of DVC that a kill cut off stops DVC; it is taken away, and a whole one is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.dvc_lock_file import forget_cut_off

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
