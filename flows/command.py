"""How `python -m flows.NAME` runs a flow: with its server, errors without a traceback, and a true exit status."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from prefect import Flow

from flows.ending import ending_plainly
from flows.named_states import exit_status
from flows.temporary_server import shared_server


def run_and_exit(one: Flow[Any, Any], *arguments: Any) -> NoReturn:
    """Runs the flow, prints its state, and ends with the state's exit status (flows/named_states.py)."""
    with ending_plainly(), shared_server():
        state = one(*arguments, return_state=True)
    line = f"{state.name}: {state.message}" if state.message else str(state.name)
    status = exit_status(state)
    sys.stdout.flush()
    (sys.stderr if status else sys.stdout).write(f"error: {line}\n" if state.is_failed() else f"{line}\n")
    sys.exit(status)
