"""The state of code, data and settings as files that bring it back: what differs from the commit, and DVC's files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jmlr.errors import RestoreError

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


def restore_snapshot(folder: Path, commit: str, target: Path | None, root: Path = Path()) -> Path:
    """Brings back code, settings and data: the commit, what differed from it, and DVC's outputs from its cache.

    Args:
        folder: what `write_snapshot` wrote.
        commit: the git commit.
        target: a new folder for it; None: the repository itself, if nothing in it would be lost.
        root: the repository, whose history and DVC cache are used.

    Returns:
        Where it is now.

    Raises:
        RestoreError: if the repository has changes, the folder holds something, or commit or data are not at hand.
    """
    if target is None:
        _require_clean(root)
    else:
        _require_empty(target)
    if not re.fullmatch("[0-9a-f]{7,64}", commit) or _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise RestoreError(
            "git does not know this commit", expected="it in the history", where=commit, next_step="git fetch --all"
        )
    place = root if target is None else target
    if target is not None:
        _run(root, "git", "clone", "--quiet", "--no-checkout", str(root.resolve()), str(target.resolve()))
    _run(place, "git", "checkout", "--quiet", "--detach", commit)
    if (folder / PATCH).exists():
        _run(place, "git", "apply", "--binary", "--whitespace=nowarn", str((folder / PATCH).resolve()))
    for name in FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, place / name)
    if target is not None:
        cache = _run(root, sys.executable, "-m", "dvc", "cache", "dir").strip()
        _run(place, sys.executable, "-m", "dvc", "cache", "dir", "--local", cache)
    _run(place, sys.executable, "-m", "dvc", "checkout", "--quiet")
    return place


def _require_clean(root: Path) -> None:
    changed = (_git(root, "status", "--porcelain") or "").splitlines()
    if changed:
        raise RestoreError(
            f"{len(changed)} file(s) differ from the commit: {', '.join(line[3:] for line in changed[:5])}",
            expected="a working tree without changes, so that none is lost",
            where=str(root.resolve()),
            next_step="commit or stash them, or name a new folder: jmlr restore VERSION FOLDER",
        )


def _require_empty(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RestoreError("it is there", expected="a new folder", where=str(target), next_step="name another one")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        return _run(root, "git", *arguments)
    except RestoreError:
        return None


def _run(place: Path, *command: str) -> str:
    """What the command prints.

    Raises:
        RestoreError: with what it says, if it fails.
    """
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise RestoreError("not installed", expected="git and DVC", where=command[0]) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()
        is_dvc = "dvc" in command
        raise RestoreError(
            f"{' '.join(command[-3:])} failed: {said}",
            expected="all outputs in DVC's cache" if is_dvc else "git to do it",
            where=str(place),
            next_step=f"cd {place} && dvc pull, where a remote is set; else dvc repro makes them again"
            if is_dvc
            else "do what it says, then try again",
        ) from error
    return done.stdout
