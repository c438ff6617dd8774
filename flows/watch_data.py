"""Checks the data: emits an event when data.dvc, or the source it was imported from, has changed."""

from __future__ import annotations

import json
from pathlib import Path

from prefect import flow
from prefect.events import emit_event

from flows import dvc
from jmlr import fingerprint
from jmlr.errors import DataError
from jmlr.files import write_json

EVENT = "jmlr.data.changed"
SEEN = Path(".servers") / "watched.json"


def resource_of(folder: Path) -> str:
    """The name of the repository's data in Prefect's events."""
    return f"jmlr.data.{folder.resolve()}"


@flow(name="jmlr-watch-data", log_prints=True)
def watch_data() -> bool:
    """Emit `jmlr.data.changed` if the data differ from the last check; the first check only records them.

    The event goes out before the state is recorded, so a check that is cut off reports twice rather than never.

    Returns:
        whether there was a change.

    Raises:
        DataError: if there is no data.dvc, or DVC cannot tell its state.
    """
    folder = Path.cwd()
    now = state_of_data(folder)
    before = json.loads(SEEN.read_text(encoding="utf-8")) if SEEN.exists() else now
    if changed := now != before:
        emit_event(EVENT, resource={"prefect.resource.id": resource_of(folder)}, payload={"before": before, "now": now})
    said = "changed" if changed else "as before"
    print(f"data: {said}, data.dvc {now['data_dvc_hash'][:12]}, {now['status'] or 'clean'}")
    write_json(SEEN, now)
    return changed


def state_of_data(folder: Path) -> dict[str, str]:
    """The hash of data.dvc and its DVC status: changed files in data/, or a newer version at the source.

    Raises:
        DataError: if there is no data.dvc, or DVC cannot tell its state.
    """
    path = folder / "data.dvc"
    if not path.exists():
        raise DataError("no such file", where=str(path), next_step="dvc add data, or jmlr starter data")
    said = dvc.status(folder, ["data.dvc"])
    return {"data_dvc_hash": fingerprint.of_file(path), "status": json.dumps(said, sort_keys=True) if said else ""}
