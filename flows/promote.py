"""The gates and promotion alone: `python -m flows.promote --help`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows import named_states
from flows.artifacts import publish_gates
from flows.command import run_and_exit
from flows.ending import count, parser
from flows.named_states import ACTIONABLE, completed, failed, gates_failed
from flows.notifications import tell
from flows.stage_task import delays, flows_settings, run_command
from jmlr.errors import RegistryError
from jmlr.files import read_json
from jmlr.registry.promotion.champion import NOT_JUDGED
from jmlr.stages import layout

GATES = layout.BUILD / "promotion" / "gates.json"
_KEPT, _WAITING = 3, 4  # exit statuses of `jmlr promote` that are no errors
# Without a failed gate `kept` means that the version is the champion already.
_STATES = {"promoted": named_states.PROMOTED, "dry_run": named_states.DRY_RUN}


def judge(words: Sequence[str] = ()) -> State[Any]:
    """Runs `jmlr promote` as a task; the state tells the outcome, the gates are an artifact.

    What failed for this moment only is tried again, `flows.retries` times, each time after twice the delay.

    Args:
        words: of its command line.

    Raises:
        CommandFailed: if the command fails; the champion is the one that it was.
        RegistryError: if it did not write down what it found.
    """
    for delay in (*delays(flows_settings()), None):
        GATES.unlink(missing_ok=True)  # what is there afterwards is of this call
        status = run_command("promote", arguments=words, accepted=(0, _KEPT, _WAITING))
        judgement = judged()
        if not judgement:
            raise RegistryError("missing", expected="what `jmlr promote` found", where=str(GATES))
        if judgement["outcome"] != NOT_JUDGED or delay is None:
            break
        print(f"{describe(judgement)}; again in {delay:g} seconds")
        time.sleep(delay)
    publish_gates(judgement)
    message = describe(judgement)
    if judgement["outcome"] == NOT_JUDGED:
        return gates_failed(f"{message}; the next run judges it again", named_states.NOT_JUDGED)
    if status == _KEPT:
        return gates_failed(message)
    name = named_states.WAITING if status == _WAITING else _STATES.get(judgement["outcome"], named_states.NOTHING_NEW)
    return completed(name, message)


def judged() -> dict[str, Any]:
    """What the last `jmlr promote` wrote down; empty where there is none."""
    return read_json(GATES, "jmlr promote")


def _told(gate: dict[str, Any]) -> str:
    """A gate with its figure and bound, as far as it has any."""
    bound = "" if gate["bound"] is None else f", bound {gate['bound']}"
    return str(gate["name"]) if gate["figure"] is None else f"{gate['name']} ({gate['figure']}{bound})"


def describe(judgement: dict[str, Any]) -> str:
    """The outcome in a line.

    >>> gates = [{"name": "accuracy", "passed": False, "figure": 0.5, "bound": 0.6, "detail": ""}]
    >>> describe({"model": "jmlr", "from": "1", "to": "2", "outcome": "kept", "gates": gates})
    'jmlr version 2, champion before: 1; gates failed: accuracy (0.5, bound 0.6)'
    """
    line = f"{judgement['model']} version {judgement['to']}, champion before: {judgement['from'] or 'none'}"
    broken = [_told(gate) for gate in judgement["gates"] if not gate["passed"]]
    if broken:
        line += f"; gates failed: {', '.join(broken)}"
    elif judgement["outcome"] == "waiting":
        line += "; all gates passed; to promote it: jmlr promote --approve"
    elif judgement["outcome"] == "kept":
        line += "; nothing changes"
    return line


@flow(name="jmlr-promote", log_prints=True, on_failure=[tell], on_crashed=[tell], on_completion=[tell])
def promote(
    folder: Path | None = None, version: int | None = None, dry_run: bool = False, approve: bool = False
) -> State[Any]:
    """Judge a version, promote it if all gates pass: `Promoted`, `GatesFailed`, `WaitingForApproval`, `DryRunPassed`.

    Args:
        folder: the repository's root; the working folder if None.
        version: its number; the challenger if None.
        dry_run: whether only to judge.
        approve: whether a version that waits for approval is approved.
    """
    if folder is not None:
        os.chdir(folder)
    words = [*([] if version is None else ["--version", str(version)])]
    words += [word for word, asked in (("--dry-run", dry_run), ("--approve", approve)) if asked]
    try:
        return judge(words)
    except ACTIONABLE as error:
        return failed(error)


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; exit status 0 promoted, 3 a gate failed, 4 an approval is waited for, 2 an error."""
    reader = parser("promote", __doc__)
    reader.add_argument("--version", type=count, help="of the registry (default: the challenger)")
    reader.add_argument("--dry-run", action="store_true", help="only judge")
    reader.add_argument("--approve", action="store_true", help="approve a version that waits for it")
    asked = reader.parse_args(words)
    run_and_exit(promote, None, asked.version, asked.dry_run, asked.approve)


if __name__ == "__main__":
    main()
