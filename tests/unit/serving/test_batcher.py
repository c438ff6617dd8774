"""The queue: what waits together is done together, what does not fit is refused, nothing accepted is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from jmlr.serving.batcher import Batcher
from jmlr.serving.refusals import Unavailable


class Doubler:
    """Doubles numbers; waits for `gate` first, and fails on any batch with an odd number."""

    def __init__(self) -> None:
        self.gate, self.started = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.started.set()
        self.gate.wait(10)
        if any(number % 2 for number in numbers):
            raise ValueError(f"odd among {list(numbers)}")
        return [2 * number for number in numbers]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


@pytest.fixture
def make(limits, doubler):
    made: list[Batcher[int, int]] = []

    def make(**changes) -> Batcher[int, int]:
        made.append(Batcher(doubler, limits.model_copy(update=changes)))
        return made[-1]

    yield make
    doubler.gate.set()
    for batcher in made:
        batcher.close()
        assert batcher.join(10)


def busy(batcher: Batcher[int, int], doubler: Doubler):
    """The batcher with its thread held inside the first batch."""
    first = batcher.submit(0)
    assert doubler.started.wait(10)
    return first


def test_what_gathers_while_one_batch_is_done_is_the_next_batch(make, doubler):
    batcher = make(batch_questions=3)
    first = busy(batcher, doubler)
    rest = [batcher.submit(number) for number in (2, 4, 6, 8)]
    assert batcher.waiting == 4
    doubler.gate.set()
    assert [one.result(10) for one in (first, *rest)] == [0, 4, 8, 12, 16]
    assert doubler.batches == [[0], [2, 4, 6], [8]]


def test_the_first_of_a_batch_waits_for_others_but_not_when_the_batch_is_full(make, doubler):
    doubler.gate.set()
    batcher = make(batch_questions=2, batch_wait_milliseconds=5000)
    started = time.monotonic()
    both = [batcher.submit(2), batcher.submit(4)]
    assert [one.result(10) for one in both] == [4, 8]
    assert time.monotonic() - started < 4
    assert doubler.batches == [[2, 4]]


def test_a_full_queue_refuses_and_says_when_to_come_back(make, doubler):
    batcher = make(queue_questions=2)
    busy(batcher, doubler)
    accepted = [batcher.submit(2), batcher.submit(4)]
    with pytest.raises(Unavailable, match="2 questions are waiting already") as refused:
        batcher.submit(6)
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds >= 1
    doubler.gate.set()
    assert [one.result(10) for one in accepted] == [4, 8]


def test_what_would_wait_too_long_by_the_pace_of_late_is_refused_at_once(make, doubler):
    batcher = make(patience_seconds=0.15)  # before anything is done a question is taken to need 0.1 s
    busy(batcher, doubler)
    batcher.submit(2)
    accepted = batcher.submit(4)
    with pytest.raises(Unavailable, match="2 questions are waiting already"):
        batcher.submit(6)
    accepted.cancel()


def test_what_spoils_one_answer_does_not_spoil_its_neighbours(make, doubler):
    batcher = make()
    busy(batcher, doubler)
    two, three, four = (batcher.submit(number) for number in (2, 3, 4))
    doubler.gate.set()
    assert (two.result(10), four.result(10)) == (4, 8)
    with pytest.raises(ValueError, match=r"odd among \[3\]"):
        three.result(10)
    assert batcher.submit(10).result(10) == 20


def test_too_few_results_are_an_error_and_the_thread_lives_on(limits):
    batcher: Batcher[int, int] = Batcher(lambda numbers: [], limits)
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            batcher.submit(1).result(10)
    batcher.close()
    assert batcher.join(10)


def test_what_nobody_waits_for_is_not_done(make, doubler):
    batcher = make()
    busy(batcher, doubler)
    gone, kept = batcher.submit(2), batcher.submit(4)
    assert gone.cancel()
    doubler.gate.set()
    assert kept.result(10) == 8
    assert doubler.batches[1:] == [[4]]


def test_what_is_cancelled_makes_room_at_once(make, doubler):
    batcher = make(queue_questions=3)
    busy(batcher, doubler)
    left = [batcher.submit(number) for number in (2, 2, 4)]
    assert left[1].cancel()
    assert batcher.waiting == 2
    new = batcher.submit(6)
    with pytest.raises(Unavailable, match="3 questions are waiting already"):
        batcher.submit(8)
    doubler.gate.set()
    assert [one.result(10) for one in (left[0], left[2], new)] == [4, 8, 12]
    assert sum(doubler.batches, []) == [0, 2, 4, 6]


def test_what_waited_too_long_is_refused(make, doubler):
    batcher = make(patience_seconds=0.05)
    busy(batcher, doubler)
    late = batcher.submit(2)
    time.sleep(0.1)
    doubler.gate.set()
    with pytest.raises(Unavailable, match="waited"):
        late.result(10)


def test_a_closed_one_finishes_what_it_accepted_and_takes_no_more(make, doubler):
    batcher = make(batch_questions=1)
    first = busy(batcher, doubler)
    second = batcher.submit(2)
    batcher.close()
    assert batcher.closed
    assert not batcher.idle
    with pytest.raises(Unavailable, match="shutting down"):
        batcher.submit(4)
    doubler.gate.set()
    assert (first.result(10), second.result(10)) == (0, 4)
    assert batcher.join(10)
    assert batcher.idle


def test_models_of_one_machine_take_turns(limits):
    turn, inside, most = threading.Lock(), [], []

    def answer(numbers):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return numbers

    batchers = [Batcher(answer, limits, turn) for _ in range(3)]
    for one in [batcher.submit(n) for n in range(3) for batcher in batchers]:
        one.result(10)
    assert max(most) == 1
    for batcher in batchers:
        batcher.close()
