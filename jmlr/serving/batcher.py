"""A bounded queue before a model: what waits together is answered together, and what does not fit is refused."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jmlr.serving.refusals import Unavailable
from jmlr.settings import ServeSettings

Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(eq=False)
class _Waiting(Generic[Work, Done]):
    """One piece of work with the promise of its result."""

    work: Work
    since: float
    future: Future[Done] = field(default_factory=Future)


class Batcher(Generic[Work, Done]):
    """One thread that does what is submitted, oldest first, as many at a time as wait, up to `serve.batch_questions`.

    The first of a batch waits `serve.batch_wait_milliseconds` for others. While one batch runs the next one gathers, so
    under load nothing waits for the clock. Where a batch fails, each of it is tried alone: a question that fails does
    not fail its neighbours.

    Args:
        answer: does a batch; results in its order.
        turn: held while `answer` runs; one for all batchers of a machine keeps models from slowing each other down.
        observe: told the size of a batch and its seconds.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Work]], Sequence[Done]],
        settings: ServeSettings,
        turn: AbstractContextManager[object] | None = None,
        observe: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        self._answer, self._settings, self._observe = answer, settings, observe
        self._turn = turn or nullcontext()
        self._queue: deque[_Waiting[Work, Done]] = deque()
        self._changed = threading.Condition()
        self._closed, self._busy = False, 0
        self._seconds_each = 0.1
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many are accepted and not begun."""
        return len(self._queue)

    @property
    def closed(self) -> bool:
        """Whether new work is refused for good."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether all that was accepted is done."""
        with self._changed:
            return not self._queue and not self._busy

    def submit(self, work: Work) -> Future[Done]:
        """The promise of the result; cancelling it before its turn makes room for another at once.

        Raises:
            Unavailable: if the queue is full, if by the pace of late the work's turn would come later than
                `serve.patience_seconds`, or if the batcher is closed.
        """
        with self._changed:
            if self._closed:
                raise Unavailable("the server is shutting down", retry_after_seconds=5)
            waiting_seconds = len(self._queue) * self._seconds_each
            if len(self._queue) >= self._settings.queue_questions or waiting_seconds > self._settings.patience_seconds:
                raise Unavailable(f"{len(self._queue)} questions are waiting already", self._seconds_to_empty())
            waiting: _Waiting[Work, Done] = _Waiting(work, time.monotonic())
            self._queue.append(waiting)
            self._changed.notify_all()
        waiting.future.add_done_callback(lambda future: self._leave(waiting) if future.cancelled() else None)
        return waiting.future

    def close(self) -> None:
        """Refuses new work from now on; what was accepted is still done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, timeout_seconds: float) -> bool:
        """Waits until a closed batcher has done what it accepted; whether it has."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _leave(self, cancelled: _Waiting[Work, Done]) -> None:
        with self._changed, suppress(ValueError):  # its turn may just have come
            self._queue.remove(cancelled)

    def _seconds_to_empty(self) -> int:
        return max(1, math.ceil(len(self._queue) * self._seconds_each))

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            started = time.monotonic()
            if batch:
                with self._turn:
                    self._do(batch)
                seconds = time.monotonic() - started
                # A running mean over about the last ten batches.
                self._seconds_each += 0.1 * (seconds / len(batch) - self._seconds_each)
                self._observe(len(batch), seconds)
            with self._changed:
                self._busy = 0

    def _next_batch(self) -> list[_Waiting[Work, Done]] | None:
        """What is to be done next; None at the end."""
        most, wait_seconds = self._settings.batch_questions, self._settings.batch_wait_milliseconds / 1000
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            until = time.monotonic() + wait_seconds
            while len(self._queue) < most and not self._closed and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            if not self._queue:
                return None
            taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
            self._busy = len(taken)
        return [one for one in taken if self._still_wanted(one)]

    def _still_wanted(self, one: _Waiting[Work, Done]) -> bool:
        """Whether nobody has cancelled it and it has not waited too long."""
        if not one.future.set_running_or_notify_cancel():
            return False
        waited = time.monotonic() - one.since
        if waited > self._settings.patience_seconds:
            one.future.set_exception(
                Unavailable(f"the question waited {waited:.0f} s for its turn", self._seconds_to_empty())
            )
            return False
        return True

    def _do(self, batch: Sequence[_Waiting[Work, Done]]) -> None:
        try:
            results = self._answer([one.work for one in batch])
            for one, result in zip(batch, results, strict=True):
                one.future.set_result(result)
        # A model's error goes to whoever asked; the thread must live on for the others.
        except Exception as error:  # noqa: BLE001
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for one in batch:
                if not one.future.done():
                    self._do([one])
