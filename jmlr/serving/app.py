"""The application: what answers at which path, and how every refusal looks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from jmlr.serving import asked as asking
from jmlr.serving.desk import Desk
from jmlr.serving.gate import Gate
from jmlr.serving.model import NOTICE, Label, Reply
from jmlr.serving.page import Page, add_page
from jmlr.serving.refusals import Refused
from jmlr.serving.wire import ask_all, read_body
from jmlr.types import Question

_LOG = logging.getLogger("jmlr.serving")
_GONE = 499
"""The client went away before its answer (nginx's number; only /metrics shows it)."""

_EXAMPLE = {
    "question": "A 54-year-old man wakes with a hot, swollen great toe. Which test confirms the diagnosis?",
    "options": ["Chest radiograph", "Joint fluid microscopy", "Spirometry", "Electroencephalography"],
}


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
        add_page(app, Page(desk, questions))
    app.add_middleware(Gate, desk=desk, paths=frozenset(getattr(route, "path", "") for route in app.routes))
    return app


def _add_api(app: FastAPI, desk: Desk) -> None:
    limits = desk.settings

    @app.post(
        "/v1/answer", response_model=Reply, openapi_extra=_request_schema(desk), responses=_refusals(),
        summary="Answer a question",
    )  # fmt: skip
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


def _request_schema(desk: Desk) -> dict[str, Any]:
    limits = desk.settings
    texts = {"type": "string", "minLength": 1}
    properties = {
        "question": {**texts, "maxLength": limits.question_characters},
        "options": {
            "type": "array", "minItems": 2, "maxItems": limits.options, "uniqueItems": True,
            "items": {**texts, "maxLength": limits.option_characters},
        },
        "explain": {
            "type": "boolean", "default": False,
            "description": "also read again without each passage, and match its words; takes longer",
        },
        "passages": {
            "type": "integer", "default": asking.SHOWN_PASSAGES, "minimum": 0,
            "description": "retrieved passages to return; those that were read are always returned",
        },
    }  # fmt: skip
    schema = {"type": "object", "required": ["question", "options"], "additionalProperties": False}
    content = {"schema": {**schema, "properties": properties}, "example": _EXAMPLE}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _refusals() -> dict[int | str, dict[str, Any]]:
    reasons = {
        400: "The body, a key or a value is not as expected; `error` says what, where and what was.",
        408: "The body did not come in time.",
        413: "The body, the question, an option or their number is over the limit.",
        415: "The content type is not application/json.",
        503: "The queue is full, the question waited too long, or the server is shutting down; see Retry-After.",
    }
    return {status: {"description": reason} for status, reason in reasons.items()}


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
