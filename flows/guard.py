"""Ends a process when the starter of this one, which holds its standard input open, dies: `python guard.py PID`."""

from __future__ import annotations

import os
import sys

import psutil

_GRACE_SECONDS = 5.0


def main(process_id: int) -> None:
    """Waits for the starter's end, then ends the process, by SIGKILL if SIGTERM does not."""
    try:
        process = psutil.Process(process_id)  # remembers when it began: another one with its id is left alone
        while os.read(sys.stdin.fileno(), 1):
            pass
        process.terminate()
        if psutil.wait_procs([process], timeout=_GRACE_SECONDS)[1]:
            process.kill()
    except psutil.NoSuchProcess:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
