"""The stages' device hours: every try is in the book, whatever became of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from jmlr.errors import TrainingFailed
from jmlr.stages import costs, layout


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)


def lines() -> list[dict]:
    return [json.loads(line) for line in layout.COSTS.read_text().splitlines()]


def test_nothing_is_said_where_nothing_was_counted():
    with costs.counted("ingest"):
        pass
    assert costs.summary() == ""
    assert costs.tries() == []
    assert not layout.COSTS.exists()


def test_finished_and_failed_tries_are_kept(monkeypatch):
    with costs.counted("index"):
        pass
    with pytest.raises(TrainingFailed, match="no"), costs.counted("train"):
        raise TrainingFailed("no", expected="yes")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with costs.counted("train"):
        pass
    assert [(row["try"], row["what"], row["outcome"], row["devices"]) for row in costs.tries()] == [
        (1, "index", "finished", 1),
        (2, "train", "TrainingFailed", 1),
        (3, "train", "finished", 4),
    ]
    assert costs.summary().endswith("; 3 tries, 1 not finished")


def test_a_try_that_still_runs_writes_its_seconds_down(monkeypatch):
    monkeypatch.setattr(costs, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr("jmlr.training.cost.tries.BEAT_SECONDS", 0.0)
    with costs.counted("train"):
        while len(lines()) < 4:
            pass
        seconds = [row["seconds"] for row in lines()]
        assert {row["outcome"] for row in lines()} == {"running"}
        assert seconds == sorted(seconds)
        assert seconds[-1] > 0
        # What a kill would leave now is counted as cut off.
        assert costs.summary().endswith("; 1 tries, 1 not finished")
        assert costs.tries()[0]["outcome"] == "cut off"


def test_a_try_tells_when_it_was_and_its_hours_can_be_asked_for_since_then():
    before = datetime.now(timezone.utc) - timedelta(seconds=2)
    with costs.counted("index"):
        assert set(costs.spent(before)) == {costs.tries()[0]["device"]}
    assert costs.spent(datetime.now(timezone.utc) + timedelta(seconds=2)) == {}
    [row] = costs.tries()
    assert before <= datetime.fromisoformat(row["at"])


def test_hours_of_different_devices_are_not_added():
    layout.COSTS.parent.mkdir()
    rows = [
        {"try": 1, "what": "train", "device": "cuda", "devices": 8, "outcome": "finished", "seconds": 1800.0},
        {"try": 2, "what": "train", "device": "cuda", "devices": 8, "outcome": "cut off", "seconds": 900.0},
        {"try": 3, "what": "index", "device": "cpu", "devices": 1, "outcome": "finished", "seconds": 360.0},
    ]
    layout.COSTS.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert costs.summary() == "6.000 cuda (train 6.000); 0.100 cpu (index 0.100); 3 tries, 1 not finished"
