"""What every try of a training cost, the ones that failed or were killed included, in a file that outlives them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jmlr.files import append_json, read_json_lines, reading
from jmlr.training import processes

SECONDS_PER_HOUR = 3600.0
BEAT_SECONDS = 10.0
"""A killed try loses at most so much of its cost."""

RUNNING, CUT_OFF = "running", "cut off"


def device_hours(seconds: float, devices: int) -> float:
    """Hours that `devices` devices spent together, idle or busy, in `seconds` of wall time.

    Raises:
        ValueError: if `seconds` is negative or `devices` is below 1.

    >>> device_hours(1800, 8)
    4.0
    """
    if seconds < 0 or devices < 1:
        raise ValueError(f"{seconds} seconds on {devices} devices; expected at least 0 seconds and 1 device")
    return seconds * devices / SECONDS_PER_HOUR


class Tries:
    """The tries of a training, one JSON line for each state of each; the last line of a try counts.

    Only the first process (RANK 0) writes, for all devices of the launch.

    Args:
        file: made at the first line.
        device: what the training runs on, `cuda` or `cpu`.
        devices: how many work at the same time.
        clock: seconds that only rise.
    """

    def __init__(self, file: Path, device: str, devices: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.device, self.devices, self.clock = device, devices, clock
        self._file = file
        self._rows = {row["try"]: row for row in read_tries(file)}

    def open(self, what: str) -> Try:
        """A new try of `what`: an arm, or the index; its clock runs from now on."""
        return Try(self, max(self._rows, default=0) + 1, what)

    def rows(self, what: str = "") -> list[dict[str, Any]]:
        """All tries so far, of one arm if `what` is given, in their order."""
        return [row for _, row in sorted(self._rows.items()) if not what or row["what"] == what]

    def device_hours(self, what: str = "") -> float:
        """Device hours of all tries, of one arm if `what` is given."""
        return sum(device_hours(row["seconds"], row["devices"]) for row in self.rows(what))

    def cost(self, what: str) -> dict[str, float | int]:
        """Of one arm: the device hours of all its tries, and how many there were."""
        return {"device_hours": self.device_hours(what), "tries": len(self.rows(what))}

    def put(self, row: dict[str, Any]) -> None:
        """Takes the newest state of a try."""
        self._rows[row["try"]] = row
        if processes.is_first():
            append_json(self._file, [row])


class Try:
    """One try; as a context manager it is closed as finished, or as failed with the name of the error."""

    def __init__(self, tries: Tries, number: int, what: str) -> None:
        self._tries, self._start = tries, tries.clock()
        self._row = {"try": number, "what": what, "device": tries.device, "devices": tries.devices}
        self._written_seconds = 0.0
        self.refresh_seconds: Callable[[], float] = lambda: 0.0
        self._put(RUNNING)

    @property
    def seconds(self) -> float:
        """Since the try was opened."""
        return self._tries.clock() - self._start

    @property
    def device_hours(self) -> float:
        """Of this try so far."""
        return device_hours(self.seconds, self._tries.devices)

    def beat(self) -> None:
        """Writes down that the try still runs, at most every BEAT_SECONDS."""
        if self.seconds - self._written_seconds >= BEAT_SECONDS:
            self._put(RUNNING)

    def __enter__(self) -> Try:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._put("finished" if kind is None else kind.__name__)

    def _put(self, outcome: str) -> None:
        self._written_seconds = self.seconds
        measured = {"seconds": self._written_seconds, "refresh_seconds": self.refresh_seconds()}
        self._tries.put({**self._row, "outcome": outcome, **measured})


REMEDY = "take the damaged line out, or move the file away: what it counts is lost then"


def read_tries(file: Path, mend: bool = True) -> list[dict[str, Any]]:
    """The newest state of each try in `file`, in their order; empty where there is none.

    One that was running is `cut off`. `mend` is for `read_lines`: False while another process may be writing.

    Raises:
        DataError: if a line is damaged.
    """
    with reading(file, REMEDY):
        newest = {row["try"]: row for row in read_json_lines(file, REMEDY, mend)}
        return [
            {**row, "outcome": CUT_OFF if row["outcome"] == RUNNING else row["outcome"]}
            for _, row in sorted(newest.items())
        ]
