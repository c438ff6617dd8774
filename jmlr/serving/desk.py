"""The models of one server, each with its queue, and what a monitor reads of them at /metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from jmlr.serving.asked import Asked
from jmlr.serving.batcher import Batcher
from jmlr.serving.model import Label, Reply
from jmlr.settings import ServeSettings

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Gauges:
    """The counts of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "jmlr_requests", "Requests by path and status.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "jmlr_request_seconds", "From a request to its answer, by path.", ["path"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._sizes = Histogram(
            "jmlr_batch_questions", "Questions read in one pass.", buckets=_SIZES, registry=self._registry
        )
        self._batch_seconds = Histogram("jmlr_batch_seconds", "Of one pass.", buckets=_SECONDS, registry=self._registry)
        self._answers = Counter("jmlr_answers", "Answers by model.", ["model", "abstained"], registry=self._registry)
        self._waiting = Gauge("jmlr_waiting_questions", "Accepted and not begun.", ["model"], registry=self._registry)
        self._ready = Gauge("jmlr_ready", "1 while questions are taken.", registry=self._registry)
        self._models = Gauge("jmlr_model_info", "The models served.", ["model", "pair_hash"], registry=self._registry)

    def watch(self, label: Label, waiting: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Adds a model with its queue; both are asked when the metrics are read."""
        self._models.labels(label.title, label.pair_hash or "").set(1)
        self._waiting.labels(label.title).set_function(waiting)
        self._ready.set_function(ready)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Counts a request. `path`: a route's, never what a stranger asked for."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, size: int, seconds: float) -> None:
        """Counts one pass of a model."""
        self._sizes.observe(size)
        self._batch_seconds.observe(seconds)

    def replies(self, replies: Iterable[Reply]) -> None:
        """Counts answers."""
        for reply in replies:
            self._answers.labels(reply.model.title, str(reply.abstained).lower()).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


class Model(Protocol):
    """What a desk gives questions to: a `ServedModel`."""

    @property
    def label(self) -> Label:
        """Who it is."""
        ...

    def answer(self, asked: Sequence[Asked]) -> list[Reply]:
        """The replies, in order."""
        ...


class Desk:
    """Takes questions for its models, of which the first one answers the API.

    Args:
        models: at least one; they take turns, because they share the machine.
    """

    def __init__(self, models: Sequence[Model], settings: ServeSettings) -> None:
        self.labels = tuple(model.label for model in models)
        self.settings, self.gauges = settings, Gauges()
        turn = threading.Lock()
        self._batchers = [Batcher(model.answer, settings, turn, self.gauges.batch) for model in models]
        for label, batcher in zip(self.labels, self._batchers, strict=True):
            self.gauges.watch(label, lambda batcher=batcher: batcher.waiting, lambda: self.open)  # type: ignore[misc]

    @property
    def open(self) -> bool:
        """Whether questions are taken."""
        return not self._batchers[0].closed

    @property
    def idle(self) -> bool:
        """Whether all that was accepted is answered."""
        return all(batcher.idle for batcher in self._batchers)

    def ask(self, asked: Asked, model: int = 0) -> Future[Reply]:
        """The promise of a reply by the model of that number.

        Raises:
            Unavailable: if its queue is full, or the desk is closed.
        """
        return self._batchers[model].submit(asked)

    def close(self) -> None:
        """Takes no more questions; those accepted are still answered."""
        for batcher in self._batchers:
            batcher.close()

    def join(self, timeout_seconds: float) -> bool:
        """Waits until a closed desk has answered what it accepted; whether it has."""
        return all([batcher.join(timeout_seconds) for batcher in self._batchers])
