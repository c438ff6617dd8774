"""A model that answers at once and says what it was asked, a desk before it, and a real server where one is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from jmlr.serving import server
from jmlr.serving.app import create_app
from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.matches import Match
from jmlr.serving.model import Cited, Effect, Label, Reply
from jmlr.settings import ServeSettings, params
from jmlr.types import Question

PAYLOAD = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


class StubModel:
    """Chooses the first option; `before` is called with every batch, and may wait or raise."""

    def __init__(self, role: str = "champion", before: Callable[[Sequence[Asked]], None] | None = None) -> None:
        self.label = Label("jmlr", "3", role, f"{role}-hash")
        self.batches: list[list[str]] = []
        self._before = before

    def answer(self, asked: Sequence[Asked]) -> list[Reply]:
        self.batches.append([one.question.text for one in asked])
        if self._before:
            self._before(asked)
        return [self._reply(one) for one in asked]

    def _reply(self, asked: Asked) -> Reply:
        count = len(asked.question.options)
        effect = Effect(0.25, -0.5, -1.0, True) if asked.explain else None
        words = (Match(0, 4, 0.9, "joint", 2.0), Match(5, 10, 0.4, "pain", 0.1)) if asked.explain else ()
        passages = (
            Cited("p1", f"Gout {PAYLOAD}", f"Gout hurts. {PAYLOAD}", "book", "CC0", 9.5, True, effect, words),
            Cited("p2", "", "Asthma whistles.", "book", "", 1.0, False),
        )
        rest = 0.25 / (count - 1)
        probabilities = (0.75, *[rest] * (count - 1))
        return Reply(asked.question.options[0], 0, probabilities, 0.75, False, 0.6, passages, self.label)


@pytest.fixture(scope="session")
def limits(repository: Path) -> ServeSettings:
    """Those of the starter, but with nothing to wait for."""
    settings = params.load(repository / "params.yaml").serve
    return settings.model_copy(update={"batch_wait_milliseconds": 0.0, "drain_seconds": 0.0, "hosts": ("testserver",)})


@pytest.fixture
def make_desk(limits: ServeSettings) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(*models: StubModel, **changes: Any) -> Desk:
        desks.append(Desk(models or (StubModel(),), limits.model_copy(update=changes)))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()
        desk.join(5)


@pytest.fixture
def make_client(make_desk: Callable[..., Desk]) -> Callable[..., TestClient]:
    """A client of the application before a desk of its own; `questions` bring the page."""

    def make(*models: StubModel, questions: Sequence[Question] | None = None, **changes: Any) -> TestClient:
        desk = make_desk(*models, **changes)
        client = TestClient(create_app(desk, questions), raise_server_exceptions=False)
        client.desk = desk  # type: ignore[attr-defined]
        return client

    return make


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[[FastAPI], str]]:
    """Serves an application on a free port of this machine, and returns its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        taken = server.bind("127.0.0.1", 0)
        one = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=one.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        running.append((one, thread))
        while not one.started:
            time.sleep(0.02)
        return server.address_of(taken)

    yield start
    for one, thread in running:
        one.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def stub_model() -> type[StubModel]:
    return StubModel


@pytest.fixture(scope="session")
def payload() -> str:
    """What would take the page over if it were not shown as text."""
    return PAYLOAD
