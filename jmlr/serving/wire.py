"""Between HTTP and the desk: bodies read within their limits, replies waited for as long as somebody listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from email.message import Message
from typing import Any

from starlette.requests import ClientDisconnect, Request

from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.model import Reply
from jmlr.serving.refusals import Failed, Refused, TooLarge, TooSlow, WrongKind
from jmlr.settings import ServeSettings

_LOG = logging.getLogger("jmlr.serving")


async def read_body(request: Request, content_type: str, limits: ServeSettings) -> bytes:
    """The body of a request.

    One that is too large is read to its end and thrown away: a connection that is closed on a client that still sends
    may lose the answer that says why.

    Raises:
        WrongKind: if it is not of `content_type`; TooLarge: if over `serve.body_bytes`; TooSlow: if it is not whole
            within `serve.body_seconds`.
    """
    told = Message()
    told["Content-Type"] = request.headers.get("content-type", "")
    if told.get_content_type() != content_type or told.get_content_charset("utf-8") not in ("utf-8", "utf8"):
        raise WrongKind(told["Content-Type"][:80] or "none", expected=f"{content_type} in UTF-8", where="Content-Type")
    if (packed := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise WrongKind(packed[:80], expected="a body that is not compressed", where="Content-Encoding")
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
    """The replies of several models to one question, or the first refusal; then no queue keeps the question.

    Call it when the body is read.

    Raises:
        Unavailable: if a queue is full, the desk is closed, or a question's turn did not come in time.
        Failed: if a model failed.
        ClientDisconnect: if the client has gone.
    """
    promises: list[asyncio.Future[Reply]] = []
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        for model in models:
            promises.append(asyncio.wrap_future(desk.ask(asked, model)))
        outcomes = asyncio.gather(*promises)
        waited: set[asyncio.Future[Any]] = {outcomes, gone}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not outcomes.done():
            outcomes.cancel()
            raise ClientDisconnect
        return await outcomes
    except (Refused, ClientDisconnect):
        raise
    except Exception as error:
        _LOG.error("a model failed", exc_info=error)
        raise Failed("the model failed to answer; the server's log says why") from error
    finally:
        gone.cancel()
        for promise in promises:
            promise.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
