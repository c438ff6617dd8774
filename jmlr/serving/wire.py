"""Between HTTP and the desk: bodies read within their limits, replies waited for as long as somebody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from jmlr.config import ServeSettings
from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.model import Reply
from jmlr.serving.refusals import Failed, Refused, TooLarge, TooSlow, WrongKind

_LOG = logging.getLogger("jmlr.serving")


async def read_body(request: Request, content_type: str, limits: ServeSettings) -> bytes:
    """The body of a request.

    One that is too large is read to its end and thrown away: a connection that is closed on a client that still sends
    may lose the answer that says why.

    Raises:
        WrongKind: if it is not of `content_type`; TooLarge: if over `serve.body_bytes`; TooSlow: if it is not whole
            within `serve.body_seconds`.
    """
    found = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if found != content_type:
        raise WrongKind(found[:80] or "none", expected=content_type, where="Content-Type")
    try:
        size, body = await asyncio.wait_for(_collect(request, limits.body_bytes), limits.body_seconds)
    except asyncio.TimeoutError as error:
        raise TooSlow(
            f"the body did not come within {limits.body_seconds:g} s", expected="a whole request", where="body"
        ) from error
    if size > limits.body_bytes:
        raise TooLarge(f"{size} bytes", expected=f"at most {limits.body_bytes}", where="body")
    return body


async def _collect(request: Request, most_bytes: int) -> tuple[int, bytes]:
    """Its length, and the body as far as it is not too long."""
    size, kept = 0, bytearray()
    async for part in request.stream():
        size += len(part)
        if size <= most_bytes:
            kept += part
    return size, bytes(kept)


async def ask_all(request: Request, desk: Desk, asked: Asked, models: Sequence[int]) -> list[Reply]:
    """The replies of several models to one question; questions nobody waits for any more leave their queues.

    Call it when the body is read.

    Raises:
        Unavailable: if a queue is full, the desk is closed, or a question's turn did not come in time.
        Failed: if a model failed.
        ClientDisconnect: if the client has gone.
    """
    promises: list[asyncio.Future[Reply]] = []
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        promises = [asyncio.wrap_future(desk.ask(asked, model)) for model in models]
        outcomes = asyncio.gather(*promises, return_exceptions=True)
        waited: set[asyncio.Future[Any]] = {outcomes, gone}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not outcomes.done():
            outcomes.cancel()
            raise ClientDisconnect
        return [_reply(outcome) for outcome in await outcomes]
    finally:
        gone.cancel()
        for promise in promises:
            promise.cancel()


def _reply(outcome: Reply | BaseException) -> Reply:
    """A reply, or the reason there is none."""
    if isinstance(outcome, Refused):
        raise outcome
    if isinstance(outcome, BaseException):
        _LOG.error("a model failed", exc_info=outcome)
        raise Failed("the model failed to answer; the server's log says why") from outcome
    return outcome


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
