"""Runs a command and passes its output on line by line; nothing that it started outlives it."""

from __future__ import annotations

import codecs
import io
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from flows import run_lock
from jmlr.errors import JmlrError

Limit = Callable[[], JmlrError | None]
"""Asked every second: the error that ends the command, or None while it may go on."""

_KEPT_LINES = 15
_GRACE_SECONDS = 20.0
_LIMIT_SECONDS = 1.0
_READ_BYTES = 1 << 16
_SUPERVISOR = (sys.executable, "-I", str(Path(__file__).with_name("supervisor.py")))


class CommandFailed(JmlrError):
    """A command ended with a status other than 0, or a limit ended it.

    Attributes:
        status: the exit status; 128 + N if signal N ended it.
        reason: the state's name in Prefect.
        may_pass: whether a second try may succeed: after a kill, or when network or disk were away.
    """

    status: int = 0
    reason: str = "Failed"
    may_pass: bool = False


def run_lines(
    command: Sequence[str],
    show: Callable[[str], None],
    folder: Path | None = None,
    limit: Limit = lambda: None,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run `command`, giving every line of its output and errors to `show` as it comes.

    The command has a process group of its own. An error, Ctrl-C, a cancelled flow or a
    limit ends the whole group: first SIGTERM, after 20 seconds SIGKILL. After a `kill -9` of this process the
    supervisor (flows/supervisor.py) ends it.

    Args:
        command: program and arguments.
        show: takes one line without its end.
        folder: where it runs; the working folder if None.
        limit: asked every second; the error that it returns ends the command.
        variables: of the environment, besides the caller's.

    Raises:
        CommandFailed: with the exit status and the last 15 lines.
        JmlrError: that of `limit`.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with (
        _termination_raises(),
        subprocess.Popen(
            [*_SUPERVISOR, *command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=run_lock.held(),  # the lock is freed only when the last supervisor has finished
            env={**_environment(), **(variables or {})},
        ) as process,
    ):
        try:
            for line in _lines(process, limit):
                last.append(line.rstrip())
                show(last[-1])
            status = process.wait()
        finally:
            end_group(process)
    if status:
        raise _failure(status if status > 0 else 128 - status, command, last)


def _lines(process: subprocess.Popen[bytes], limit: Limit) -> Iterator[str]:
    """Lines as they come, until the process has ended, even if one that it left behind still could write.

    Raises:
        JmlrError: that of `limit`, asked every second.
    """
    pipe = process.stdout.fileno() if process.stdout else -1
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    begun, asked = "", time.monotonic()
    while True:
        has_ended = process.poll() is not None
        ready, _, _ = select.select([pipe], [], [], 0 if has_ended else _LIMIT_SECONDS)
        read = os.read(pipe, _READ_BYTES) if ready else b""
        *whole, begun = (begun + decoder.decode(read)).split("\n")
        yield from whole
        if not read and (ready or has_ended):
            break
        if time.monotonic() - asked >= _LIMIT_SECONDS:
            asked = time.monotonic()
            if error := limit():
                raise error
    if begun:
        yield begun


def _failure(status: int, command: Sequence[str], last: Sequence[str]) -> CommandFailed:
    error = CommandFailed(
        f"exit status {status}; its last lines:\n    " + "\n    ".join(last),
        where=" ".join(command),
        next_step="fix what the last lines name, then start the flow again: finished stages are not repeated",
    )
    error.status = status
    return error


def _environment() -> dict[str, str]:
    """The caller's environment with its own programs first (dvc.yaml calls `jmlr`) and unbuffered output."""
    programs = str(Path(sys.executable).parent)
    calm = {"PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "10"}
    return {**calm, **os.environ, "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])}


@contextmanager
def _termination_raises() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that the command ends too; keep a handler that is set, as Prefect's."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, with all that it started; do nothing if it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    if process.poll() is None or process.returncode < 0:  # a supervisor that was killed left its group behind
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
