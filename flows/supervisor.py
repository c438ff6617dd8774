"""Runs a command and ends it, with all that it started, when the caller dies: `python supervisor.py COMMAND...`.

The caller holds the other end of standard input and never writes to it; when it dies, by `kill -9` too, the pipe
closes, on Linux and macOS. On Linux the supervisor also adopts orphans of its descendants, so it finds a process that
has moved to a group or session of its own; elsewhere it finds only processes whose parents live.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

import psutil

_GRACE_SECONDS = 10.0
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of <sys/prctl.h>


def main(command: Sequence[str]) -> int:
    """The command's exit status, 128 + N if signal N ended it; nothing that it started still runs.

    Must be the leader of a process group, which the command shares.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: threading.Thread(target=_end_descendants, daemon=True).start())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        status = process.wait()
    _end_descendants()
    return status if status >= 0 else 128 - status


def _end_with_the_asker() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _end_descendants()
    os.killpg(0, signal.SIGKILL)


def _end_descendants() -> None:
    """Send SIGTERM to all; after 10 seconds SIGKILL to those left and to what they started meanwhile."""
    found = psutil.Process().children(recursive=True)
    for process in found:
        _send(process, signal.SIGTERM)
    _, left = psutil.wait_procs(found, timeout=_GRACE_SECONDS if found else 0)
    while left:
        for process in left:
            _send(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)
        left = [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
