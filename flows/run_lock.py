"""One run at a time in a repository, by a lock that the kernel frees when its holder dies, by `kill -9` too.

It is a file lock of this machine (flock); machines that share a folder over a network may not see each other's.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from jmlr import fingerprint
from jmlr.errors import JmlrError

LOCK_FILE = Path("build/run.lock")

_ASK_SECONDS = 1.0
_descriptors: list[int] = []


class AlreadyRunning(JmlrError):
    """Another run holds the repository's lock."""


def held() -> tuple[int, ...]:
    """Descriptors of this process's locks; a child that inherits them keeps the lock while it lives."""
    return tuple(_descriptors)


@contextmanager
def only_run(folder: Path, what: str, wait: bool, tell: Callable[[str], None] = print) -> Iterator[None]:
    """Holds the repository's lock within the block.

    Args:
        folder: the repository's root.
        what: who holds it, for others to read.
        wait: whether to wait for another run to end instead of failing.
        tell: takes one line about a wait.

    Raises:
        AlreadyRunning: if another run holds it and `wait` is false, or another `what` waits already.
    """
    path = folder / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _locked(descriptor):
            with path.with_name(f"{path.name}.{fingerprint.of_text(what)[:8]}").open("w") as place:
                # A schedule continues while a run takes days: one run waits, not one per night.
                if wait and not _locked(place.fileno()):
                    raise _refused(f"another {what} waits already for", path, "let that one do it")
                _take(descriptor, path, wait, tell)
        note = {"run": what, "process": os.getpid(), "since": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, (json.dumps(note) + "\n").encode(), 0)
        _descriptors.append(descriptor)
        try:
            yield
        finally:
            _descriptors.remove(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait: bool, tell: Callable[[str], None]) -> None:
    told = False
    while not _locked(descriptor):
        if not wait:
            raise _refused("another run is under way:", path, "wait for it, or set flows.when_running: wait")
        if not told:
            tell(f"waiting for another run to end: {_holder(path)}")
            told = True
        time.sleep(_ASK_SECONDS)


def _holder(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() or "not known yet"


def _refused(why: str, path: Path, next_step: str) -> AlreadyRunning:
    expected = "one run at a time in a repository"
    return AlreadyRunning(f"{why} {_holder(path)}", expected=expected, where=str(path), next_step=next_step)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
