"""The server process: listens, and on SIGTERM stops without losing a question."""

from __future__ import annotations

import math
import socket
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from jmlr.errors import MissingResource
from jmlr.serving.desk import Desk


def bind(host: str, port: int) -> socket.socket:
    """A socket that has the address and does not listen yet: a model that loads for minutes keeps nobody waiting.

    Raises:
        MissingResource: if the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except (OSError, OverflowError) as error:
        raise MissingResource(
            f"cannot listen there ({error})",
            expected="a free port on an address of this machine",
            where=f"{host} port {port}",
            next_step="give another with --port or --host; --port 0 takes a free one",
        ) from error
    return taken


def address_of(taken: socket.socket) -> str:
    """The URL of a socket's address."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _DrainingServer(uvicorn.Server):
    """uvicorn that on a first signal refuses new questions, says so for a while, answers what it accepted, then closes.

    A second signal stops it at once.
    """

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self._desk, self._told_at = desk, math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notes the signal; what it means is done in `on_tick`, outside of the signal handler."""
        if self._told_at == math.inf:
            self._told_at = time.monotonic()
        else:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; whether to leave."""
        if await super().on_tick(counter):
            return True
        waited = time.monotonic() - self._told_at
        if waited < 0:
            return False
        self._desk.close()
        settings = self._desk.settings
        return waited >= settings.drain_seconds and (
            self._desk.idle or waited >= settings.drain_seconds + settings.finish_seconds
        )


def serve(app: FastAPI, desk: Desk, taken: socket.socket) -> None:
    """Answers on a listening socket until SIGTERM or Ctrl-C; returns when what was accepted is answered.

    Neither requests nor questions are logged; warnings and errors are.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=math.ceil(desk.settings.finish_seconds),
    )
    try:
        _DrainingServer(config, desk).run(sockets=[taken])
    finally:
        desk.close()
        taken.close()
