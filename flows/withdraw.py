"""Withdraws a guideline and proposes a version without it: `python -m flows.withdraw --help`.

`jmlr withdraw` records it and tags the versions that contain it; the rest is the flow `refresh`. The champion is not
touched: `jmlr rollback` or `jmlr promote` takes a version that contains it out of use.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.command import run_and_exit
from flows.ending import parser
from flows.named_states import ACTIONABLE, failed
from flows.notifications import tell
from flows.refresh import propose
from flows.run_lock import only_run
from flows.stage_task import run_command
from jmlr.settings import params

_KINDS = ("passage", "document", "source")


@flow(name="jmlr-withdraw", log_prints=True, on_failure=[tell], on_crashed=[tell], on_completion=[tell])
def withdraw(what: str, reason: str, kind: str = "", version: str = "", folder: Path | None = None) -> State[Any]:
    """Withdraw, then propose the models of a version without it: `Proposed`, or `NothingNew` if it never had it.

    Args:
        what: an id of a passage or document, or the name of a source.
        reason: why; it is written down.
        kind: `passage`, `document` or `source`, where the name is that of several.
        version: whose models, a number or an alias; empty: the champion, or where there is none the last one.
        folder: the repository's root; the working folder if None.
    """
    if folder is not None:
        os.chdir(folder)
    kinds = ["--kind", kind] if kind else []
    try:
        with only_run(Path(), f"jmlr-withdraw {what}", params.load().flows.when_running == "wait"):
            run_command("withdraw", arguments=["--reason", reason, *kinds, "--", what])
            return propose(version)
    except ACTIONABLE as error:
        return failed(error)


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; exit status 0 proposed or nothing new, 2 an error."""
    reader = parser("withdraw", __doc__)
    reader.add_argument("what", help="an id of a passage or document, or the name of a source")
    reader.add_argument("--reason", required=True, help="why; it is written down")
    reader.add_argument("--kind", choices=_KINDS, default="", help="where the name is that of several")
    reader.add_argument("--version", default="", help="whose models: a number or an alias (default: the champion)")
    asked = reader.parse_args(words)
    run_and_exit(withdraw, asked.what, asked.reason, asked.kind, asked.version)


if __name__ == "__main__":
    main()
