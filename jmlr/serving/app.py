"""The application: what answers at which path, and how every refusal looks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from importlib import resources
from typing import Any

import yaml
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from jmlr.serving import asked as asking
from jmlr.serving.desk import Desk
from jmlr.serving.gate import Gate
from jmlr.serving.model import NOTICE, Label, Reply
from jmlr.serving.refusals import Refused
from jmlr.serving.wire import ask_all, read_body
from jmlr.types import Question

_LOG = logging.getLogger("jmlr.serving")
_GONE = 499
"""The client went away before its answer (nginx's number; only /metrics shows it)."""


@dataclasses.dataclass(frozen=True)
class Served:
    """What a server serves: its models, the first of them answers /v1/answer, and the limits of a question."""

    models: tuple[Label, ...]
    limits: dict[str, int]
    notice: str = NOTICE


def create_app(desk: Desk, questions: Sequence[Question] | None = None) -> FastAPI:
    """The API; with `questions` also the page, which offers them as examples.

    `questions`: of an exam, with their right answers; may be empty. None: no page.
    """
    # Without docs_url and redoc_url: those pages load scripts from elsewhere. The schema itself is served.
    app = FastAPI(
        title="jmlr", version="1", summary=f"Exam questions answered with cited passages. {NOTICE}", docs_url=None,
        redoc_url=None,
    )  # fmt: skip
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _no_such_thing)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(Exception, _failed)
    _add_api(app, desk)
    _add_probes(app, desk)
    if questions is not None:
        from jmlr.serving.page import Page, add_page  # its libraries take a second

        add_page(app, Page(desk, questions))
    app.add_middleware(Gate, desk=desk, paths=frozenset(getattr(route, "path", "") for route in app.routes))
    return app


def _add_api(app: FastAPI, desk: Desk) -> None:
    limits = desk.settings

    @app.post("/v1/answer", response_model=Reply, summary="Answer a question", **_described(desk))
    async def answer(request: Request) -> Response:
        """The likeliest option, every option's probability, and the passages that were read."""
        body = await read_body(request, "application/json", limits)
        (reply,) = await ask_all(request, desk, asking.read_asked(asking.parse_json(body), limits), [0])
        desk.gauges.replies([reply])
        return JSONResponse(dataclasses.asdict(reply))

    @app.get("/v1/models", response_model=Served, summary="Which models are served, and the limits of a question")
    async def models() -> Response:
        """The first model is the one that /v1/answer asks."""
        names = ("question_characters", "option_characters", "options", "body_bytes")
        return JSONResponse(dataclasses.asdict(Served(desk.labels, {name: getattr(limits, name) for name in names})))


def _add_probes(app: FastAPI, desk: Desk) -> None:
    @app.get("/health", summary="Whether the process lives")
    async def health() -> Response:
        """Always 200."""
        return JSONResponse({"status": "alive"})

    @app.get("/ready", summary="Whether questions are taken", responses={503: {"description": "It is shutting down."}})
    async def ready() -> Response:
        """200 while the models are loaded and the server is not shutting down, else 503."""
        return JSONResponse({"status": "ready" if desk.open else "shutting down"}, 200 if desk.open else 503)

    @app.get("/metrics", summary="Counts and times in Prometheus's text format")
    async def metrics() -> Response:
        """Requests, answers, batches, queue."""
        return Response(desk.gauges.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _described(desk: Desk) -> dict[str, Any]:
    """Request and refusals of /v1/answer for its OpenAPI schema, with the limits of `serve`."""
    limits, described = desk.settings, _read_yaml("answer.yaml")
    properties = described["request"]["schema"]["properties"]
    properties["question"]["maxLength"] = limits.question_characters
    properties["options"] |= {"maxItems": limits.options}
    properties["options"]["items"]["maxLength"] = limits.option_characters
    properties["passages"]["default"] = asking.SHOWN_PASSAGES
    body = {"required": True, "content": {"application/json": described["request"]}}
    refusals = {status: {"description": reason} for status, reason in described["refusals"].items()}
    return {"openapi_extra": {"requestBody": body}, "responses": refusals}


def _read_yaml(name: str) -> Any:
    return yaml.safe_load((resources.files("jmlr.serving") / name).read_text(encoding="utf-8"))


async def _refused(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(str(error))
    after = refused.retry_after_seconds
    return JSONResponse(refused.as_json(), refused.status, {} if after is None else {"Retry-After": str(after)})


async def _no_such_thing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = getattr(error, "headers", None)
    found = {"found": f"{request.method} {request.url.path[:80]}", "expected": "a path and method of /openapi.json"}
    return JSONResponse({"error": found}, status, headers)


async def _client_left(request: Request, error: Exception) -> Response:
    return Response(status_code=_GONE)


async def _failed(request: Request, error: Exception) -> Response:
    # The message may contain parts of a question, so the client gets none of it.
    _LOG.error("a request failed", exc_info=error)
    return JSONResponse({"error": {"found": "the server failed to answer; its log says why"}}, 500)
