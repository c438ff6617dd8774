"""Between HTTP and the desk: bodies read within their limits, replies waited for as long as somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from jmlr.config import ServeSettings
from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.model import Reply
from jmlr.serving.refusals import TooLarge, TooSlow, WrongKind


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
        ClientDisconnect: if the client has gone.
    """
    promises: list[asyncio.Future[Reply]] = []
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        promises = [asyncio.wrap_future(desk.ask(asked, model)) for model in models]
        replies = asyncio.gather(*promises)
        waited: set[asyncio.Future[Any]] = {replies, gone}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not replies.done():
            replies.cancel()
            raise ClientDisconnect
        return list(await replies)
    finally:
        gone.cancel()
        for promise in promises:
            promise.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
