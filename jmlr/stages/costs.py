"""Device hours of the stages that compute, every try counted, the failed and the killed ones too.

They are kept outside DVC, which would take another figure for another result: in build/costs.jsonl, to which every
`jmlr STAGE` appends. What each arm of a training costs is in its own ledger.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from threading import Event, Thread
from typing import Any

from jmlr.files import reading
from jmlr.stages import layout
from jmlr.training import processes
from jmlr.training.cost.tries import REMEDY, Tries, Try, device_hours, read_tries

COUNTED = ("base", "index", "train", "evaluate", "evaluate_version", "evaluate_reader", "evaluate_refreshed")
BEAT_SECONDS = 60.0
"""A killed stage loses at most so much of its cost."""


@contextmanager
def counted(stage: str) -> Iterator[None]:
    """Writes down what is done within it as one try of `stage`; a stage that is not COUNTED leaves no line."""
    if stage not in COUNTED:
        yield
        return
    with _book().open(stage) as one, _beating(one):
        yield


def tries() -> list[dict[str, Any]]:
    """All tries of all stages in this checkout, in their order."""
    return read_tries(layout.COSTS)


def summary() -> str:
    """One line: device hours of each stage and of all, by kind of device; empty where nothing was counted.

    Hours of one kind are not added to those of another.
    """
    rows = tries()
    hours: dict[str, dict[str, float]] = {}
    for row in rows:
        stages = hours.setdefault(row["device"], {})
        stages[row["what"]] = stages.get(row["what"], 0.0) + device_hours(row["seconds"], row["devices"])
    parts = [
        f"{sum(stages.values()):.3f} {kind} ({', '.join(f'{stage} {value:.3f}' for stage, value in stages.items())})"
        for kind, stages in hours.items()
    ]
    unfinished = sum(row["outcome"] != "finished" for row in rows)
    return f"{'; '.join(parts)}; {len(rows)} tries, {unfinished} not finished" if rows else ""


def spent(since: datetime, root: Path = Path()) -> dict[str, float]:
    """Device hours of all tries that ended at `since` or later, by kind of device; it may be asked while one runs.

    A try without a date, from before they were written down, counts as one of today.

    Args:
        since: with its time zone.
        root: of the repository.
    """
    hours: dict[str, float] = {}
    with reading(file := root / layout.COSTS, REMEDY):
        for row in read_tries(file, mend=False):
            if "at" not in row or datetime.fromisoformat(row["at"]) >= since:
                hours[row["device"]] = hours.get(row["device"], 0.0) + device_hours(row["seconds"], row["devices"])
    return hours


class _Book(Tries):
    """Tries whose lines tell when they were written: a budget looks at some days only."""

    def put(self, row: dict[str, Any]) -> None:
        """Takes the newest state of a try."""
        super().put({**row, "at": datetime.now(timezone.utc).isoformat(timespec="seconds")})


def _book() -> Tries:
    return _Book(layout.COSTS, processes.device().type, processes.world_size())


@contextmanager
def _beating(one: Try) -> Iterator[None]:
    """Writes down every BEAT_SECONDS that `one` still runs."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(BEAT_SECONDS):
            one.beat()

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
