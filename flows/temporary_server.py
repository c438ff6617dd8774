"""Prefect's temporary server for one flow, which ends with the flow whatever ends that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, temporary_settings

_GUARD = (sys.executable, "-I", str(Path(__file__).with_name("guard.py")))


class _GuardedServer(SubprocessASGIServer):
    """Prefect ends its server when its process exits, not when that is killed; a guard does."""

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        process = super()._run_uvicorn_command()
        self._guard = subprocess.Popen([*_GUARD, str(process.pid)], stdin=subprocess.PIPE, start_new_session=True)
        return process


@contextmanager
def shared_server() -> Iterator[None]:
    """A temporary server for the flow and its tasks, which would start one each; none where PREFECT_API_URL is set."""
    if PREFECT_API_URL.value():
        yield
        return
    server = _GuardedServer()
    server.start()  # it ends with this process, after the threads that bring it the last log lines
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
