"""The file of tries: what finished, failed and was killed, and torn lines."""

from __future__ import annotations

import json

import pytest

from jmlr.errors import TrainingFailed
from jmlr.training.cost.tries import BEAT_SECONDS, Tries, device_hours


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    return tmp_path / "train" / "tries.jsonl"


def outcomes(tries: Tries) -> list[tuple[str, str, float]]:
    return [(row["what"], row["outcome"], row["seconds"]) for row in tries.rows()]


def test_finished_and_failed_tries_count_alike(file, clock):
    tries = Tries(file, "cpu", 2, clock)
    with tries.open("rag"):
        clock.now += 36
    failing = tries.open("jmlr")
    clock.now += 18
    failing.__exit__(TrainingFailed, None, None)
    assert outcomes(tries) == [("rag", "finished", 36.0), ("jmlr", "TrainingFailed", 18.0)]
    assert tries.device_hours() == pytest.approx(54 * 2 / 3600)
    assert tries.device_hours("jmlr") == pytest.approx(18 * 2 / 3600)


def test_a_killed_try_is_known_to_its_last_beat_and_the_next_process_goes_on_counting(file, clock):
    killed = Tries(file, "cuda", 1, clock).open("jmlr")
    clock.now += BEAT_SECONDS - 1
    killed.beat()
    clock.now += 1
    killed.beat()
    clock.now += 5  # lost
    tries = Tries(file, "cuda", 1, clock)
    assert outcomes(tries) == [("jmlr", "cut off", BEAT_SECONDS)]
    with tries.open("jmlr") as again:
        again.refresh_seconds = lambda: 2.5
        clock.now += 20
    assert [row["try"] for row in tries.rows("jmlr")] == [1, 2]
    assert tries.rows()[1]["refresh_seconds"] == 2.5
    assert tries.cost("jmlr") == {"device_hours": pytest.approx((BEAT_SECONDS + 20) / 3600), "tries": 2}
    assert outcomes(Tries(file, "cuda", 1, clock)) == outcomes(tries)


def test_a_line_torn_by_a_kill_is_taken_out(file, clock):
    with Tries(file, "cpu", 1, clock).open("rag"):
        clock.now += 7
    with file.open("a") as stream:
        stream.write('{"try": 2, "wh')
    tries = Tries(file, "cpu", 1, clock)
    with tries.open("jmlr"):
        clock.now += 1
    assert outcomes(tries) == [("rag", "finished", 7.0), ("jmlr", "finished", 1.0)]
    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == ["rag", "rag", "jmlr", "jmlr"]


def test_only_the_first_process_writes(file, clock, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    tries = Tries(file, "cpu", 2, clock)
    with tries.open("rag"):
        clock.now += 1
    assert not file.exists()
    assert tries.device_hours() == pytest.approx(2 / 3600)


def test_hours_add_over_devices() -> None:
    assert device_hours(3600 * 37, 1) == 37
    assert device_hours(3600 * 18.5, 8) == 148


@pytest.mark.parametrize(("seconds", "devices"), [(-1.0, 1), (1.0, 0)])
def test_impossible_amounts_are_refused(seconds: float, devices: int) -> None:
    with pytest.raises(ValueError, match="expected at least 0 seconds and 1 device"):
        device_hours(seconds, devices)
