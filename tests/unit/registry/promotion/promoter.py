"""A promoter in a process of its own: python promoter.py STORE MODEL BEFORE AFTER [KILLED_AT].

It prints `ready`, waits for a line on its input, promotes, and prints the outcome. At KILLED_AT it kills itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from jmlr.registry.promotion.audit import Audit
from jmlr.registry.promotion.champion import Judged, Registry
from jmlr.registry.promotion.gates import Gate
from jmlr.tracking.store import connect


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(registry: Registry, killed_at: str) -> None:
    """Puts the death in place."""
    move = registry.client.set_registered_model_alias
    if killed_at == "before the alias moves":
        registry.client.set_registered_model_alias = die
    elif killed_at == "after the alias moved":
        registry.client.set_registered_model_alias = lambda *found: (move(*found), die())
    elif killed_at == "between store and file":
        write_down, calls = Audit._write_down, []

        def once_then_die(audit: Audit, stored: Any) -> None:
            calls.append(stored)
            die() if len(calls) == 3 else write_down(audit, stored)  # settle, the intent, the report

        Audit._write_down = once_then_die  # type: ignore[method-assign]


def main(store: str, model: str, before: str, after: str, killed_at: str = "") -> None:
    registry = Registry(connect(store), model)
    arm(registry, killed_at)
    print("ready", flush=True)
    sys.stdin.readline()
    gates = (Gate("accuracy", True, 0.1, 0.0, "better"),)
    outcome, _ = registry.promote(Judged(int(before) or None, int(after), gates), needs_approval=False)
    print(outcome, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
