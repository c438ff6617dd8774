"""Whether there are new data: compares data.dvc and the sources with the version registered last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect import get_run_logger

from flows.dvc import DVC, status
from flows.subprocess_lines import CommandFailed, run_lines
from jmlr import fingerprint
from jmlr.errors import DataError
from jmlr.registry.version.lookup import Version

DATA_DVC = Path("data.dvc")
FIRST_STAGE = "ingest"
_CODE = ("jmlr/", "flows/")


def fetch_data(sources: str, root: Path = Path()) -> None:
    """Updates data.dvc if it is an import, and brings data/ to what data.dvc says.

    An import (`dvc import`, `dvc import-url`) is updated. What is then missing or changed is pulled from the default
    remote, or taken from DVC's cache if there is no remote. Does nothing if data.dvc does not cover the sources.

    Args:
        sources: the folder that the sources lie in (`ingest.root`).
        root: of the repository.

    Raises:
        DataError: if data/ differs from data.dvc and its content cannot be found.
        CommandFailed: if DVC cannot reach the source or the remote.
    """
    pinned = _pinned(root)
    if not any((root / sources).resolve().is_relative_to((root / path).resolve()) for path in pinned.get("paths", [])):
        return
    if pinned["is_import"]:
        _fetch(["update", str(DATA_DVC)], root)
    if not status(root, [str(DATA_DVC)]):
        return
    if _has_remote(root):
        _fetch(["pull", str(DATA_DVC)], root)
        return
    try:
        run_lines([*DVC, "checkout", str(DATA_DVC)], get_run_logger().info, root)
    except CommandFailed as error:
        raise DataError(
            f"the data are not what {DATA_DVC} says, and there is no remote to pull them from",
            expected="the data of data.dvc",
            where=str(root / "data"),
            next_step="`dvc add data` takes the data as they lie there; `jmlr starter data` writes the starter's",
        ) from error


def _pinned(root: Path) -> dict[str, Any]:
    """The paths in data.dvc, and whether they are an import; empty without a data.dvc."""
    if not (root / DATA_DVC).exists():
        return {}
    content = yaml.safe_load((root / DATA_DVC).read_text(encoding="utf-8"))
    return {"paths": [out["path"] for out in content["outs"]], "is_import": "deps" in content}


def whats_new(last: Version | None, root: Path = Path()) -> str:
    """Why there is something to train on, in words; empty if the last registered version has seen these data.

    Changed code and settings are not new data. Sources that ingest reads outside data.dvc count too.

    Args:
        last: the version registered last.
        root: of the repository.
    """
    if last is None:
        return "no version is registered yet"
    data = root / DATA_DVC
    if data.exists() and fingerprint.of_file(data) != last.tags.get("data_dvc_hash"):
        return f"{DATA_DVC} is another than that of version {last.number}"
    changed = changed_sources(status(root, [FIRST_STAGE]))
    return f"changed since ingest last ran: {', '.join(changed)}" if changed else ""


def changed_sources(found: Mapping[str, Any]) -> list[str]:
    """Changed files that ingest reads, without code and settings, from the output of `dvc status --json`.

    >>> changed_sources({"ingest": [{"changed deps": {"data": "modified", "jmlr/data": "new"}}, "changed command"]})
    ['data']
    """
    parts = [part for part in found.get(FIRST_STAGE, []) if isinstance(part, dict)]
    changed = [item for part in parts for item in part.get("changed deps", {}).items()]
    # DVC names the changed keys of settings (a dict), but of files only that they changed (a text).
    return sorted(name for name, what in changed if isinstance(what, str) and not name.startswith(_CODE))


def _has_remote(root: Path) -> bool:
    lines: list[str] = []
    run_lines([*DVC, "config", "--list"], lines.append, root)
    return any(line.startswith("core.remote=") for line in lines)


def _fetch(words: list[str], root: Path) -> None:
    try:
        run_lines([*DVC, *words], get_run_logger().info, root)
    except CommandFailed as error:
        error.reason, error.may_pass = "DataNotFetched", True
        raise
