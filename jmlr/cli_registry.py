"""The commands that speak with the MLflow registry; jmlr.cli puts them among its own."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from jmlr.cli_stage import run_stage

app = typer.Typer()


class _Kind(str, Enum):
    """What a name may be of."""

    passage = "passage"
    document = "document"
    source = "source"


@app.command()
def register(
    refreshed: Annotated[bool, typer.Option("--refreshed", help="Of build/refreshed, see `jmlr refresh`.")] = False,
) -> None:
    """Make one MLflow registry version of the trained retriever, reader and index."""
    run_stage("register_refreshed" if refreshed else "register")


@app.command()
def withdraw(
    what: Annotated[str, typer.Argument(help="An id of a passage or document, or the name of a source.")],
    reason: Annotated[str, typer.Option(help="Why; it is written down with date and name.")] = "",
    kind: Annotated[_Kind | None, typer.Option(help="Needed where the name is that of several.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it concerns, write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Allow again what was withdrawn; also written down.")] = False,
) -> None:
    """Withdraw a guideline: a passage, a document or a source that must not be read any more.

    Shows the registered versions that hold it and the evaluated answers that lean on it, appends an entry to
    withdrawn.yaml, which ingest leaves out, and tags the versions. docs/withdrawal.md tells what to do next.
    """
    from jmlr.stages.withdraw import Asked

    named = {_Kind.passage: "passage_id", _Kind.document: "document_id", _Kind.source: "source", None: ""}
    run_stage("withdraw", Asked(what, reason, named[kind], dry_run, undo))
