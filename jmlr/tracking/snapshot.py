"""The state of code, data and settings as files that bring it back: what differs from the commit, and DVC's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FILES = ("dvc.lock", "dvc.yaml", "data.dvc", "params.yaml")
PATCH = "changes.patch"
"""What differs from the commit, files that git does not know yet included, ignored ones not."""


def write_snapshot(folder: Path, root: Path = Path()) -> None:
    """Writes into `folder` the files of FILES that are there, and PATCH if anything differs from the commit.

    Outside a git repository with a commit there is no patch; the tag `git_commit` is then `unknown`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (root / name).is_file():
            shutil.copyfile(root / name, folder / name)
    if patch := _changes(root):
        (folder / PATCH).write_bytes(patch)


def _changes(root: Path) -> bytes:
    """The difference between the commit and the working tree, made with an index of its own: git's stays as it is."""
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(place) / "index")}
        patch = b""
        try:
            for arguments in (("read-tree", "HEAD"), ("add", "--all"), ("diff", "--cached", "--binary", "HEAD")):
                done = subprocess.run(
                    ["git", *arguments], cwd=root, env=environment, capture_output=True, check=True, timeout=120
                )
                patch = done.stdout
        except (OSError, subprocess.SubprocessError):
            return b""
    return patch
