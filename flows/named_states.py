"""States of Prefect that say what happened, and the exit status that goes with each."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.run_lock import AlreadyRunning
from flows.subprocess_lines import CommandFailed
from jmlr.errors import JmlrError

PROMOTED, GATES_FAILED, WAITING = "Promoted", "GatesFailed", "WaitingForApproval"
NOT_JUDGED = "NotJudged"
NOTHING_NEW, DRY_RUN, PROPOSED = "NothingNew", "DryRunPassed", "Proposed"

_EXIT_STATUS = {GATES_FAILED: 3, NOT_JUDGED: 3, WAITING: 4}
_OTHER_FAILURE = 2


ACTIONABLE = (JmlrError, OSError)
"""Errors a person can act on: the flow's state names them, and Prefect prints no traceback."""


def failed(error: Exception) -> State[Any]:
    """The failed state of an `error`, named by its cause: ValidationFailed, BudgetReached, Killed, TimedOut, ...

    A run refused because another is under way is `Cancelled`, not failed: nothing is broken.
    """
    if isinstance(error, AlreadyRunning):
        return Cancelled(name="AlreadyRunning", message=str(error))
    reason = error.reason if isinstance(error, CommandFailed) else type(error).__name__
    return Failed(name=reason, message=str(error), data=error)


def completed(name: str, message: str) -> State[Any]:
    """A completed state with a name of its own."""
    return Completed(name=name, message=message)


def gates_failed(message: str, name: str = GATES_FAILED) -> State[Any]:
    """The champion stays: what was asked for, a promotion, did not happen."""
    return Failed(name=name, message=message)


def exit_status(state: State[Any]) -> int:
    """0 if all went well, 3 if a gate failed, 4 if an approval is pending, else 2; the same as `jmlr promote`.

    >>> exit_status(gates_failed("accuracy")), exit_status(completed(WAITING, "")), exit_status(completed(PROMOTED, ""))
    (3, 4, 0)
    """
    return _EXIT_STATUS.get(str(state.name), 0 if state.is_completed() else _OTHER_FAILURE)
