"""The models of one server, each with its queue."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from jmlr.serving.asked import Asked
from jmlr.serving.batcher import Batcher
from jmlr.serving.gauges import Gauges
from jmlr.serving.model import Label, Reply
from jmlr.settings import ServeSettings


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
