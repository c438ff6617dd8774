"""What a monitor reads at /metrics, in Prometheus's text format; no text of any question is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from jmlr.serving.model import Label, Reply

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
