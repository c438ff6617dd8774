"""The line to one MLflow store: notes are told, or wait on disk while it is away. Nothing here fails a stage."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from jmlr import fingerprint
from jmlr.errors import JmlrError, MissingResource
from jmlr.files import alone
from jmlr.tracking.note import METRICS, Note, is_refused
from jmlr.tracking.store import bounded, connect, project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

PAUSE_SECONDS = 300.0
"""How long a store that failed is left alone: each contact may cost half a minute."""
quiet_until: dict[str, float] = {}
"""Of stores that failed in this process, by address, on the clock of `time.monotonic`."""
_SECONDS, _BYTES_PER_SECOND = 30.0, 1e6
_TOLD_AT_ONCE = 200
_TABLE = "CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT, content BLOB)"


class Line:
    """A line to one store. What it was not told waits in `file`, whole or not at all, whatever is killed.

    Args:
        uri: of the store.
        client: of it, if there is one already.
    """

    def __init__(self, uri: str, client: MlflowClient | None = None) -> None:
        self.uri, self._client = uri, client
        self.file = project_root() / f"mlflow.{fingerprint.of_text(uri)[:8]}.untold"
        self._busy = threading.RLock()  # the machine is measured in a thread of its own

    def tell(self, note: Note) -> str:
        """Tells a note, or keeps it; returns MLflow's id of the run, or where it has none yet the note's."""
        with self._busy:
            run_id = self.ask(note.tell, _seconds_for(note))
            if run_id is None and self._client is None:
                told = {key: value for key, value in asdict(note).items() if key != "content"}
                try:
                    with self._notes() as notes:
                        row = json.dumps(told), note.content
                        notes.execute("INSERT INTO notes (note, content) VALUES (?, ?)", row)
                except Exception as error:  # noqa: BLE001 - a full disk costs the note, never the stage
                    warnings.warn(f"{note.kind} of an MLflow run cannot be kept and is lost: {error}", stacklevel=3)
        return run_id or note.run_id

    def ask(self, question: Callable[[MlflowClient], T], seconds: float = _SECONDS) -> T | None:
        """The store's answer; None where it refuses, or is away."""
        with self._busy:
            try:
                if time.monotonic() >= quiet_until.get(self.uri, 0.0):
                    client = self._client or self.connect()
                    return bounded(lambda: question(client), seconds)
                self._client = None
            except Exception as error:  # noqa: BLE001 - a store raises what its libraries raise
                said = str(error).partition("\n")[0]
                if is_refused(error):
                    warnings.warn(f"MLflow refuses it: {said}", stacklevel=3)
                else:
                    self._client = None
                    quiet_until[self.uri] = time.monotonic() + PAUSE_SECONDS
                    waits = f"what it is not told waits in {self.file} for the next contact"
                    warnings.warn(f"MLflow is away, the stage goes on; {waits}: {said}", stacklevel=3)
            return None

    def connect(self) -> MlflowClient:
        """A client, once all that waited was told, in its order.

        Raises:
            MissingResource: if the store does not answer, or does not take what waited.
        """
        client = connect(self.uri)
        if self.waiting():
            self._tell_what_waited(client)
        if waiting := self.waiting():  # nothing may overtake it
            raise MissingResource(
                f"{waiting} notes for MLflow still wait",
                expected="a store that takes them",
                where=str(self.file),
                next_step="jmlr runs, which tells them; nothing is lost as long as the file is there",
            )
        self._client = client
        return client

    def waiting(self) -> int:
        """How many notes wait."""
        if not self.file.exists():
            return 0
        with self._notes() as notes:
            return int(notes.execute("SELECT count(*) FROM notes").fetchone()[0])

    def _tell_what_waited(self, client: MlflowClient) -> None:
        """Forgets each note that was told or refused; does nothing where another process tells them."""
        with suppress(JmlrError), alone(self.file.with_name(f"{self.file.name}.lock"), "tells MLflow what waited"):
            count = self.waiting()
            while self.waiting():
                numbers, note = self._first()
                try:
                    bounded(partial(note.tell, client), _seconds_for(note))
                except Exception as error:  # noqa: BLE001 - a store raises what its libraries raise
                    if not is_refused(error):
                        break
                    warnings.warn(f"MLflow refuses {note.kind} of run {note.run_id}: {error}", stacklevel=2)
                with self._notes() as notes:
                    notes.execute("DELETE FROM notes WHERE number BETWEEN ? AND ?", (numbers[0], numbers[-1]))
            sys.stderr.write(f"MLflow was told {count - self.waiting()} of {count} notes that waited for it\n")

    def _first(self) -> tuple[list[int], Note]:
        """The oldest note, with the step metrics of its run that directly follow, and the numbers of what is in it."""
        with self._notes() as notes:
            rows = notes.execute(f"SELECT number, note FROM notes ORDER BY number LIMIT {_TOLD_AT_ONCE}").fetchall()
            numbers, told = [rows[0][0]], json.loads(rows[0][1])
            content = notes.execute("SELECT content FROM notes WHERE number = ?", (numbers[0],)).fetchone()[0]
        for number, text in rows[1:] if told["kind"] == METRICS else []:
            other = json.loads(text)
            if (other["kind"], other["run_id"]) != (METRICS, told["run_id"]):
                break
            numbers.append(number)
            told["told"]["metrics"] += other["told"]["metrics"]
        return numbers, Note(**told, content=content)

    @contextmanager
    def _notes(self) -> Iterator[sqlite3.Connection]:
        """The file, for one change that is made whole or not at all."""
        try:
            with closing(sqlite3.connect(self.file, timeout=_SECONDS)) as notes:
                notes.execute("PRAGMA auto_vacuum = FULL")  # what was told leaves the file; before the table is made
                with notes:
                    notes.execute(_TABLE)
                    yield notes
        except sqlite3.Error as error:
            raise MissingResource(
                f"it cannot be read or written: {error}",
                expected="a file of notes for MLflow, with room on its disk",
                where=str(self.file),
                next_step="free space, or move it elsewhere; runs then lack what is in it",
            ) from error


def _seconds_for(note: Note) -> float:
    """How long a store may take for a note."""
    return _SECONDS + len(note.content) / _BYTES_PER_SECOND


@contextmanager
def never_failing(what: str) -> Iterator[None]:
    """What cannot be read or written within the block costs a warning, not the stage."""
    try:
        yield
    except (OSError, ValueError, JmlrError) as error:
        warnings.warn(f"{what} is not told to MLflow, the stage goes on: {error}", stacklevel=4)
