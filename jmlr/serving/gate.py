"""What every request passes: a check of the host's name, counting, and headers that keep browsers strict."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jmlr.serving.desk import Desk
from jmlr.serving.refusals import Refused

_PROBES = ("/health", "/ready")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Gate:
    """ASGI middleware around the whole application.

    A page of another site can make a visitor's browser ask a server on the visitor's machine under a name that the site
    has pointed there. Such a name is in no list of `serve.hosts`, and the request is refused.

    Args:
        paths: known ones; all others are counted together.
    """

    def __init__(self, app: ASGIApp, desk: Desk, paths: frozenset[str]) -> None:
        self._app, self._desk, self._paths = app, desk, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes an HTTP request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, path = time.monotonic(), scope["path"] if scope["path"] in self._paths else "other"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._desk.gauges.request(path, message["status"], time.monotonic() - started)
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if path in _PROBES or self._knows(host):
            await self._app(scope, receive, answer)
        else:
            refused = Refused(host[:80] or "none", expected="a name of serve.hosts in params.yaml", where="Host")
            await JSONResponse(refused.as_json(), refused.status)(scope, receive, answer)

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
        except ValueError:
            return False
        hosts = self._desk.settings.hosts
        return "*" in hosts or name in hosts

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.update(_HEADERS)
        if not self._desk.open:
            headers["Connection"] = "close"  # so that clients do not send the next request to a server that closes
