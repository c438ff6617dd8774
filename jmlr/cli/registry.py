"""The commands that speak with the MLflow registry; jmlr.cli.app puts them among its own."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from jmlr.cli.table import run

app = typer.Typer()

_VERSION = "A number, @champion, @challenger, or models:/NAME/NUMBER."
_Version = Annotated[str, typer.Option("--version", help=_VERSION)]


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
    run("register_refreshed" if refreshed else "register")


@app.command()
def promote(
    version: Annotated[
        int | None, typer.Option(min=1, help="Which; by default the one registered last (alias challenger).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only run the gates; nothing changes.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Say yes to a promotion that waits (promote.needs_approval).")
    ] = False,
) -> None:
    """Take a version through the gates; if all pass it becomes the champion.

    Exit status: 0 promoted, or a dry run passed; 3 a gate failed and the champion stays; 4 waits for approval; 2 error.
    Gates and bounds: block promote of params.yaml, docs/operations.md. The figures are in build/promotion/gates.json.
    """
    from jmlr.commands.registry.promote import Asked

    run("promote", Asked(version, dry_run, approve))


@app.command()
def rollback(
    to: Annotated[int | None, typer.Option(min=1, help="An earlier champion; by default the one before.")] = None,
    reason: Annotated[str, typer.Option(help="Why; the audit keeps it.")] = "",
) -> None:
    """Make the champion before this one champion again."""
    run("rollback", to, reason)


@app.command()
def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Whole entries with their gates, one a line.")] = False,
) -> None:
    """Print who changed the champion, when, from which version to which, and which gates failed."""
    run("audit", as_json)


@app.command()
def runs(
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List pipelines and trainings: when, state, recipe, accuracy, success@1, hours, version."""
    run("runs", most)


@app.command()
def show(version: Annotated[str, typer.Argument(help=_VERSION)] = "@champion") -> None:
    """Print everything about one version: results with intervals, origin, aliases, history, how to restore it."""
    run("show", version)


@app.command()
def restore(
    version: Annotated[str, typer.Argument(help=_VERSION)],
    folder: Annotated[
        Path | None, typer.Argument(help="A new folder; without one this checkout, if it has no changes.")
    ] = None,
) -> None:
    """Bring back the exact code, data and settings of a version, from git and DVC's cache."""
    run("restore", version, folder)


@app.command()
def withdraw(
    what: Annotated[str, typer.Argument(help="An id of a passage or document, or the name of a source.")],
    reason: Annotated[str, typer.Option(help="Why; it is written down with date and name.")] = "",
    kind: Annotated[_Kind | None, typer.Option(help="Needed if several things have the name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it concerns, write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Allow again what was withdrawn; also written down.")] = False,
) -> None:
    """Withdraw a guideline: a passage, a document or a source that must not be read any more.

    Shows which registered versions contain it and which evaluated answers depend on it, appends an entry to
    withdrawn.yaml, which ingest leaves out, and tags the versions. docs/withdrawal.md tells what to do next.
    """
    from jmlr.commands.passages.withdraw import Asked

    named = {_Kind.passage: "passage_id", _Kind.document: "document_id", _Kind.source: "source", None: ""}
    run("withdraw", Asked(what, reason, named[kind], dry_run, undo))


@app.command()
def predict(
    questions: Annotated[
        Path,
        typer.Argument(help="A .parquet, .jsonl or .csv table with columns question and options (CSV: a JSON list)."),
    ],
    output: Annotated[Path, typer.Argument(help="The .parquet table to write.")],
    version: _Version = "@champion",
) -> None:
    """Answer a table of questions with a registered version; continues where it was cut off."""
    run("predict", questions, output, version)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder: the reader, in it ir/ with the retriever.")],
    version: _Version = "@champion",
) -> None:
    """Write a version as its authors publish it: transformers and colbert-ai load it by themselves."""
    run("export", folder, version)


@app.command("import")
def import_pair(
    folder: Annotated[Path, typer.Argument(help="A reader's folder with the ColBERT checkpoint in ir/.")],
) -> None:
    """Take a published pair as base models: writes imported/ and prints the settings that start from it."""
    run("import_pair", folder)
