"""Prefect's server for a flow: the one of PREFECT_API_URL, or a temporary one that ends with the flow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, temporary_settings

from jmlr.errors import MissingResource

_GUARD = (sys.executable, "-I", str(Path(__file__).with_name("guard.py")))


class _GuardedServer(SubprocessASGIServer):
    """Prefect ends its server when its process exits, not when that is killed; a guard does."""

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        process = super()._run_uvicorn_command()
        self._guard = subprocess.Popen([*_GUARD, str(process.pid)], stdin=subprocess.PIPE, start_new_session=True)
        return process


def require_server() -> None:
    """Checks that the server of PREFECT_API_URL answers.

    Raises:
        MissingResource: if none is set, or it does not answer.
    """
    address = PREFECT_API_URL.value()
    if not address:
        raise MissingResource(
            "no Prefect server", expected="PREFECT_API_URL, or the server of this repository", next_step="make up"
        )
    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is not None:
        raise MissingResource(
            f"Prefect's server does not answer: {error}",
            where=str(address),
            next_step="start it (make up), or unset PREFECT_API_URL to use this repository's",
        ) from error


@contextmanager
def shared_server() -> Iterator[None]:
    """A temporary server for the flow and its tasks, which would start one each; none where PREFECT_API_URL is set.

    Raises:
        MissingResource: if the server of PREFECT_API_URL does not answer, or a temporary one does not start.
    """
    if PREFECT_API_URL.value():
        require_server()
        yield
        return
    server = _GuardedServer()
    try:
        home = Path(os.environ["PREFECT_HOME"])
        home.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=home).close()
        server.start()  # it ends with this process, after the threads that bring it the last log lines
    except (RuntimeError, OSError, httpx.HTTPError) as error:
        raise MissingResource(
            f"Prefect's temporary server does not start: {error}",
            expected="a free port, and a folder that can be written",
            where=os.environ["PREFECT_HOME"],
            next_step="make up, which starts one that stays and keeps its log",
        ) from error
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
