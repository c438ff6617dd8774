"""Programs that run on after the command that started them: a pid file, a log, a health check."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from jmlr.errors import MissingResource
from jmlr.files import write_json

_GRACE_SECONDS = 20.0
_PAUSE_SECONDS = 0.3
_SHOWN_LINES = 8
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class Program:
    """A program in the background that answers on a port of this machine.

    Attributes:
        name: of its files NAME.json (process) and NAME.log.
        arguments: after `python -m`.
        port: on 127.0.0.1.
        health: path that answers 200 when it is ready.
        port_variable: environment variable that moves it to another port.
        environment: variables besides the caller's. Addresses with passwords belong here: `ps` shows arguments to all.
    """

    name: str
    arguments: tuple[str, ...]
    port: int
    health: str
    port_variable: str
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


def running(folder: Path, name: str) -> str | None:
    """The address of the program that `start` has started, or None if it does not run.

    A process id that another process has since been given is not taken for it.
    """
    process = _process(folder, name)
    if process is None:
        return None
    return str(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["address"])


def start(program: Program, folder: Path) -> bool:
    """Start the program unless it runs, with its files in `folder`; False if it was running.

    Raises:
        MissingResource: if another program has the port.
    """
    if running(folder, program.name):
        return False
    if _is_taken(program.port):
        raise MissingResource(
            f"port {program.port} is taken by another program, so {program.name} cannot start",
            expected="a free port",
            where=program.address,
            next_step=f"end that program, or choose another port: make up {program.port_variable}={program.port + 1}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{program.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *program.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it outlives the shell, and `stop` ends it with all it started
            env={**os.environ, **program.environment},
        )
    started = psutil.Process(process.pid).create_time()
    kept = {"pid": process.pid, "started": started, "address": program.address}
    write_json(folder / f"{program.name}.json", kept)
    return True


def wait_until_healthy(program: Program, folder: Path, timeout_seconds: float) -> None:
    """Return when the program answers.

    Raises:
        MissingResource: with the last lines of its log, if it ends or is not ready in time.
    """
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        if _process(folder, program.name) is None:
            raise _not_ready(program, folder, "has ended")
        try:
            if httpx.get(program.address + program.health, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(_PAUSE_SECONDS)
    raise _not_ready(program, folder, f"did not answer in {timeout_seconds:.0f} seconds")


def stop(folder: Path, name: str) -> bool:
    """End the program with all it started, after 20 seconds by force; False if it did not run."""
    process = _process(folder, name)
    if process is not None:
        os.killpg(process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs([process], timeout=_GRACE_SECONDS)
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    (folder / f"{name}.json").unlink(missing_ok=True)
    return process is not None


def _process(folder: Path, name: str) -> psutil.Process | None:
    try:
        kept = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        process = psutil.Process(kept["pid"])
        same = abs(process.create_time() - kept["started"]) < _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, TypeError, KeyError, psutil.NoSuchProcess):
        return None


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _not_ready(program: Program, folder: Path, what: str) -> MissingResource:
    log = folder / f"{program.name}.log"
    with log.open(encoding="utf-8", errors="replace") as stream:
        last = [line.rstrip() for line in deque(stream, maxlen=_SHOWN_LINES)]
    return MissingResource(
        f"{program.name} {what}; its last lines:\n    " + "\n    ".join(last),
        expected=f"an answer at {program.address}{program.health}",
        where=str(log),
        next_step="fix what the log names, then `make up` again",
    )
