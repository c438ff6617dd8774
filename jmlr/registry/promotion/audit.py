"""Who changed the champion, when, from what to what, by which gates: entries are only ever added.

The entries are tags of the registered model, `audit.00001`, `audit.00002` ...: all who use the store see the same. A
file beside the store has them too; of a store elsewhere it is in the working folder. Each entry carries the hash of the
one before it, so that a changed or missing entry is noticed.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.errors import RegistryError
from jmlr.files import append_json, read_lines
from jmlr.registry.promotion.gates import Gate

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROMOTING, ROLLING_BACK = "promoting", "rolling back"
PROMOTED, ROLLED_BACK, MOVED = "promoted", "rolled back", "moved elsewhere"
KEPT, WAITING, ABANDONED = "kept", "waiting", "abandoned"

INTENTS = {PROMOTING: PROMOTED, ROLLING_BACK: ROLLED_BACK}
"""What is written before the alias moves, and what is written after."""

_PREFIX = "audit."
_LONGEST_DETAIL_CHARACTERS = 160
_LONGEST_NOTE_CHARACTERS = 400


@dataclass(frozen=True)
class Change:
    """What an entry says.

    Attributes:
        action: one of those above.
        before: the champion's version before it; None if there was none.
        after: the version it is about.
        gates: what they found; empty for a rollback.
        note: why, or what happened.
    """

    action: str
    before: int | None
    after: int | None
    gates: tuple[Gate, ...] = ()
    note: str = ""


class Audit:
    """The entries of one registered model.

    Args:
        file: JSON lines, one an entry.
    """

    def __init__(self, client: MlflowClient, model: str, file: Path) -> None:
        self._client, self.model, self.file = client, model, file

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first: number, when, who, action, from, to, gates, note, previous.

        Raises:
            RegistryError: if one was changed or is missing.
        """
        tags = self._client.get_registered_model(self.model).tags
        stored = [json.loads(tags[key]) for key in sorted(tags) if key.startswith(_PREFIX)]
        previous = ""
        for number, entry in enumerate(stored, start=1):
            if entry["number"] != number or entry["previous"] != previous:
                raise RegistryError(
                    f"entry {number} of the audit is missing or was changed",
                    expected="entries as they were written, one after the other",
                    where=f"tags audit.* of registered model {self.model}",
                    next_step=f"compare them with {self.file}, and ask who may write to the store",
                )
            previous = fingerprint.of_json(entry)
        return stored

    def append(self, change: Change) -> dict[str, Any]:
        """Writes one entry, to the store first. The caller holds the promotion lock."""
        stored = self.entries()
        entry = {
            "number": len(stored) + 1,
            "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "who": _user(),
            "action": change.action,
            "model": self.model,
            "from": change.before,
            "to": change.after,
            "gates": [_short(gate) for gate in change.gates],
            "note": change.note[:_LONGEST_NOTE_CHARACTERS],
            "previous": fingerprint.of_json(stored[-1]) if stored else "",
        }
        self._client.set_registered_model_tag(self.model, f"{_PREFIX}{entry['number']:05d}", json.dumps(entry))
        self._write_down([*stored, entry])
        return entry

    def bring_file_up_to_date(self) -> None:
        """Adds to the file the entries that only the store has: of other machines, or of a killed process.

        Raises:
            RegistryError: if the file has entries that the store lacks.
        """
        self._write_down(self.entries())

    def _write_down(self, stored: Sequence[dict[str, Any]]) -> None:
        written = self.written()
        if written != list(stored[: len(written)]):
            raise RegistryError(
                f"it holds {len(written)} entries that are not the first of the {len(stored)} of the store",
                expected="the same history in both",
                where=str(self.file),
                next_step="if the store was started anew, keep this file elsewhere; if not, ask who changed the store",
            )
        if missing := stored[len(written) :]:
            append_json(self.file, missing, is_promised=True)

    def written(self) -> list[dict[str, Any]]:
        """The entries in the file; a last line that a killed process left unfinished is removed."""
        return [json.loads(line) for line in read_lines(self.file)]


def _short(gate: Gate) -> dict[str, Any]:
    return {**gate.as_json(), "detail": gate.detail[:_LONGEST_DETAIL_CHARACTERS]}


def _user() -> str:
    """USER@MACHINE: as the tracking server knows the user, else as the machine does. It is stated, not proved."""
    try:
        user = os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def champions(entries: Sequence[dict[str, Any]]) -> list[int]:
    """The champions one may roll back to, the latest last.

    A rollback drops the versions that were champion after its target.

    >>> done = [{"action": PROMOTED, "to": 1}, {"action": PROMOTED, "to": 2}, {"action": PROMOTED, "to": 3}]
    >>> champions([*done, {"action": ROLLED_BACK, "to": 2}])
    [1, 2]
    """
    line: list[int] = []
    for entry in entries:
        after = entry["to"]
        if entry["action"] not in (PROMOTED, MOVED, ROLLED_BACK) or after is None:
            continue
        if entry["action"] == ROLLED_BACK and after in line:
            del line[len(line) - 1 - line[::-1].index(after) :]
        line.append(after)
    return line


def waiting_for(entries: Sequence[dict[str, Any]], version: int) -> bool:
    """Whether `version` waits for approval by its last entry; an approval that was cut off does not count."""
    about = [entry["action"] for entry in entries if entry["to"] == version]
    said = [action for action in about if action not in (PROMOTING, ABANDONED)]
    return bool(said) and said[-1] == WAITING


def rollback_of(entries: Sequence[dict[str, Any]], version: int) -> dict[str, Any] | None:
    """The rollback that took `version` out of service, unless it was promoted again since.

    >>> done = [{"action": PROMOTED, "from": 1, "to": 2}, {"action": ROLLED_BACK, "from": 2, "to": 1}]
    >>> rollback_of(done, 2) == done[1], rollback_of([*done, done[0]], 2)
    (True, None)
    """
    found = None
    for entry in entries:
        if entry["action"] == ROLLED_BACK and entry["from"] == version:
            found = entry
        elif entry["action"] in (PROMOTED, ROLLED_BACK) and entry["to"] == version:
            found = None
    return found
