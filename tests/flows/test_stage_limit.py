"""What bounds a stage, and what the end of one tells."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from flows import stage_limit
from flows.named_states import exit_status, failed
from flows.run_lock import AlreadyRunning
from flows.stage_limit import limit_of, over_budget
from flows.stage_task import explain
from flows.subprocess_lines import CommandFailed
from jmlr.errors import BudgetReached
from jmlr.failure import Failure
from jmlr.settings import FlowsSettings, params
from jmlr.stages import layout

ROOT = Path(__file__).parents[2]


def settings(**changes: Any) -> FlowsSettings:
    shipped = params.load(ROOT / "params.yaml").flows
    return FlowsSettings.model_validate({**shipped.model_dump(), **changes})


def write_costs(folder: Path, *rows: tuple[str, float, int | None]) -> None:
    """Tries of one hour on so many devices: kind, devices and how many days ago; None: without a date."""
    lines = []
    for number, (kind, devices, days) in enumerate(rows, start=1):
        row = {"try": number, "what": "train", "device": kind, "devices": devices, "outcome": "x", "seconds": 3600.0}
        if days is not None:
            row["at"] = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat(timespec="seconds")
        lines.append(json.dumps(row) + "\n")
    (folder / layout.COSTS).parent.mkdir(exist_ok=True)
    (folder / layout.COSTS).write_text("".join(lines) + '{"try": 9, "unfin')


def test_the_budget_looks_at_its_days_and_does_not_add_kinds_of_devices(tmp_path: Path) -> None:
    write_costs(tmp_path, ("cuda", 8, 29), ("cuda", 8, 31), ("cpu", 3, 1), ("cuda", 1, None))
    assert over_budget(settings(budget_device_hours=9.5), tmp_path) is None
    error = over_budget(settings(budget_device_hours=9.0), tmp_path)
    assert isinstance(error, BudgetReached)
    assert "9.000 cuda hours were used in the last 30 days; expected less than 9" in str(error)
    assert over_budget(settings(budget_device_hours=9.0, budget_days=28), tmp_path) is None
    assert over_budget(settings(budget_device_hours=None), tmp_path) is None


def test_without_costs_nothing_is_spent(tmp_path: Path) -> None:
    assert over_budget(settings(budget_device_hours=0.001), tmp_path) is None


def test_the_budget_ends_what_costs_hours_and_nothing_else(tmp_path: Path) -> None:
    write_costs(tmp_path, ("cpu", 5, 0))
    bounded = settings(budget_device_hours=1.0, timeout_hours={})
    assert isinstance(limit_of("train", bounded, tmp_path)(), BudgetReached)
    assert limit_of("register", bounded, tmp_path)() is None


def test_a_stage_has_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(stage_limit.time, "monotonic", lambda: now[0])
    ask = limit_of("index", settings(timeout_hours={"index": 2.0}), tmp_path)
    now[0] += 7199
    assert ask() is None
    now[0] += 2
    error = ask()
    assert "index: it ran for 2 hours and was ended; expected less (flows.timeout_hours.index)" in str(error)
    assert failed(error).name == "TimedOut"
    assert limit_of("train", settings(timeout_hours={"index": 2.0}), tmp_path)() is None


DVC_SAYS = "exit status 255; its last lines:\n    ERROR: failed to reproduce 'train': failed to run: jmlr train, exited"


@pytest.mark.parametrize(
    ("status", "text", "noted", "reason", "may_pass"),
    [
        (255, f"{DVC_SAYS} with 2", Failure("ValidationFailed", True, False, "x"), "ValidationFailed", False),
        (255, f"{DVC_SAYS} with 2", Failure("MissingResource", True, True, "MLflow"), "MissingResource", True),
        (255, f"{DVC_SAYS} with 1", Failure("KeyError", False, False, "x"), "Failed", False),
        (255, f"{DVC_SAYS} with -9", None, "Killed", True),
        (255, f"{DVC_SAYS} with 137", None, "Killed", True),
        (137, "exit status 137; its last lines:\n    step 3", None, "Killed", True),
        (255, f"{DVC_SAYS} with 9", None, "Failed", False),
        (255, "ERROR: Unable to acquire lock. Most likely another DVC process is running", None, "Failed", True),
        (255, "ERROR: missing data 'source': data", None, "Failed", False),
    ],
)
def test_what_ended_a_stage_is_told_truly(
    status: int, text: str, noted: Failure | None, reason: str, may_pass: bool
) -> None:
    error = CommandFailed(text)
    error.status = status
    explain(error, noted)
    assert (error.reason, error.may_pass) == (reason, may_pass)
    assert failed(error).name == reason
    assert exit_status(failed(error)) == 2


def test_a_refused_run_is_cancelled_and_not_failed() -> None:
    state = failed(AlreadyRunning("another"))
    assert (state.name, state.is_cancelled(), exit_status(state)) == ("AlreadyRunning", True, 2)
