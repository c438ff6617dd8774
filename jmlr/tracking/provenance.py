"""Where a run came from: the hashes that every MLflow run and registry version carries as tags."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from jmlr import fingerprint

UNKNOWN = "unknown"

_HASHED_FILES = {
    "dvc_lock_hash": "dvc.lock",
    "data_dvc_hash": "data.dvc",
    "params_hash": "params.yaml",
    "withdrawn_hash": "withdrawn.yaml",
}


def provenance(root: Path = Path()) -> dict[str, str]:
    """Tags `git_commit`, `git_dirty` and the hashes of dvc.lock, data.dvc, params.yaml and withdrawn.yaml at `root`.

    Hashes are SHA-256 (hex) of the file's bytes. What is not there (no repository, no file) is `unknown`.
    """
    tags = {"git_commit": _git(root, "rev-parse", "HEAD") or UNKNOWN}
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    tags["git_dirty"] = UNKNOWN if status is None else str(bool(status)).lower()
    for tag, name in _HASHED_FILES.items():
        path = root / name
        tags[tag] = fingerprint.of_file(path) if path.is_file() else UNKNOWN
    return tags


def who() -> str:
    """The name that git knows this person by, else the login's; `unknown` where there is neither."""
    try:
        return _git(Path(), "config", "user.name") or getpass.getuser()
    except (OSError, KeyError):
        return UNKNOWN


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where git or a repository with a commit is missing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
