"""The limits of a stage or command while it runs: its time, and the budget of all runs."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from flows.subprocess_lines import CommandFailed, Limit
from jmlr.errors import BudgetReached, JmlrError
from jmlr.settings import FlowsSettings
from jmlr.stages import costs

_SECONDS_PER_HOUR = 3600.0


def limit_of(name: str, settings: FlowsSettings, folder: Path) -> Limit:
    """A limit for `name`, started now: its time is up, or a stage that costs device hours has none left.

    Args:
        name: of a stage or command.
        settings: gives `timeout_hours` and the budget.
        folder: the repository's root.
    """
    hours = settings.timeout_hours.get(name)
    begun = time.monotonic()

    def ask() -> JmlrError | None:
        if hours is not None and time.monotonic() - begun > hours * _SECONDS_PER_HOUR:
            return _timed_out(name, hours)
        return over_budget(settings, folder) if name in costs.COUNTED else None

    return ask


def over_budget(settings: FlowsSettings, folder: Path) -> BudgetReached | None:
    """The error to raise when the runs of the last days have used up the budget, counted per kind of device.

    A running stage records its hours every minute, so the budget may be exceeded by a minute.
    """
    if settings.budget_device_hours is None:
        return None
    spent = costs.spent(datetime.now(timezone.utc) - timedelta(days=settings.budget_days), folder)
    kind, hours = max(spent.items(), key=lambda item: item[1], default=("", 0.0))
    if hours < settings.budget_device_hours:
        return None
    return BudgetReached(
        f"{hours:.3f} {kind} hours were used in the last {settings.budget_days:g} days",
        expected=f"less than {settings.budget_device_hours:g} (flows.budget_device_hours)",
        where="build/costs.jsonl",
        next_step="raise flows.budget_device_hours, or wait: hours older than flows.budget_days do not count",
    )


def _timed_out(name: str, hours: float) -> CommandFailed:
    error = CommandFailed(
        f"it ran for {hours:g} hours and was ended",
        expected=f"less (flows.timeout_hours.{name})",
        where=name,
        next_step="start the flow again (training goes on from its last checkpoint), or give it more time",
    )
    error.reason = "TimedOut"
    return error
