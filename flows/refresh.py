"""New passages for the champion's models, without training: `python -m flows.refresh --help`.

Ingest and validation by DVC, then an index of the passages of today, an evaluation beside the version that the models
come from, and a new version as challenger. The champion stays until the challenger is promoted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State

from flows.command import run_and_exit
from flows.ending import parser
from flows.named_states import ACTIONABLE, NOTHING_NEW, PROPOSED, completed, failed
from flows.notifications import tell
from flows.run_lock import only_run
from flows.stage_task import run_command, run_stage
from jmlr.commands.passages.refreshed import Refreshed
from jmlr.evaluation.notation import p_value, percent, points
from jmlr.files import read_json
from jmlr.settings import params
from jmlr.stages import layout

_REFRESHED = ["--refreshed"]


@flow(name="jmlr-refresh", log_prints=True, on_failure=[tell], on_crashed=[tell], on_completion=[tell])
def refresh(folder: Path | None = None, version: str = "") -> State[Any]:
    """Propose the models of a version with the passages of today: `Proposed`, or `NothingNew` where it has them.

    Args:
        folder: the repository's root; the working folder if None.
        version: whose models, a number or an alias; empty: the champion, or where there is none the last one.
    """
    if folder is not None:
        os.chdir(folder)  # settings and the tracking store are relative to it
    try:
        with only_run(Path(), f"jmlr-refresh {version}".strip(), params.load().flows.when_running == "wait"):
            return propose(version)
    except ACTIONABLE as error:
        return failed(error)


def propose(version: str) -> State[Any]:
    """Ingest, validate, refresh, evaluate and register; what was done before it was cut off is not done again.

    Raises:
        JmlrError: if a stage or a command fails; nothing is registered then.
    """
    run_stage("validate")
    run_command("refresh", arguments=["--version", version] if version else [])
    made = Refreshed.read()
    if not made.is_other:
        return completed(NOTHING_NEW, f"version {made.version} has these passages")
    run_command("evaluate", arguments=_REFRESHED)
    run_command("register", arguments=_REFRESHED)
    comparison = read_json(layout.COMPARISON, "jmlr evaluate --refreshed")
    number = read_json(layout.REFRESHED_REGISTERED, "jmlr register --refreshed")["version"]
    publish(comparison, number)
    return completed(PROPOSED, describe(comparison, number))


def describe(comparison: Mapping[str, Any], number: int) -> str:
    """The outcome in a line.

    >>> splits = {"test": {"before": {"value": 0.5}, "after": {"value": 0.25}}}
    >>> describe({"model": "jmlr", "refreshed_from": 1, "splits": splits, "changed": [{}]}, 2)
    'jmlr version 2 has the models of version 1; test 50.0 % -> 25.0 %; 1 answers changed; jmlr promote judges it'
    """
    shares = [
        f"{split} {percent(one['before']['value'])} -> {percent(one['after']['value'])}"
        for split, one in comparison["splits"].items()
    ]
    whose = f"{comparison['model']} version {number} has the models of version {comparison['refreshed_from']}"
    return f"{whose}; {'; '.join(shares)}; {len(comparison['changed'])} answers changed; jmlr promote judges it"


def publish(comparison: Mapping[str, Any], number: int) -> None:
    """Makes a summary and a table of the answers that changed for Prefect's pages."""
    lines = [f"# {describe(comparison, number)}", "", "| split | before | after | points | helped | hurt |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    for split, one in comparison["splits"].items():
        difference = one["difference"]
        change = f"{points(difference['value'])} (p {p_value(difference['mcnemar_p'])})"
        shares = f"{percent(one['before']['value'])} | {percent(one['after']['value'])}"
        lines.append(f"| {split} | {shares} | {change} | {one['helped']} | {one['hurt']} |")
    create_markdown_artifact("\n".join([*lines, "", "Not for clinical use."]), key="refresh-summary")
    columns = ("question_id", "split", "before", "was_right", "after", "is_right")
    rows = [{name: str(one[name]) for name in columns} for one in comparison["changed"]]
    if rows:
        create_table_artifact(table=rows, key="changed-answers", description="answers that changed")


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; exit status 0 proposed or nothing new, 2 an error."""
    reader = parser("refresh", __doc__)
    reader.add_argument("--version", default="", help="whose models: a number or an alias (default: the champion)")
    run_and_exit(refresh, None, reader.parse_args(words).version)


if __name__ == "__main__":
    main()
