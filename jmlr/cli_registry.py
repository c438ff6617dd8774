"""The commands that speak with the MLflow registry; jmlr.cli puts them among its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jmlr.cli_stage import run_stage

app = typer.Typer()

_Version = Annotated[str, typer.Option("--version", help="A number, @ALIAS, or models:/NAME/NUMBER.")]


@app.command()
def register() -> None:
    """Make one MLflow registry version of the trained retriever, reader and index."""
    run_stage("register")


@app.command()
def predict(
    questions: Annotated[
        Path,
        typer.Argument(help="A .parquet, .jsonl or .csv table with columns question and options (CSV: a JSON list)."),
    ],
    output: Annotated[Path, typer.Argument(help="The .parquet table to write.")],
    version: _Version = "@champion",
) -> None:
    """Answer a table of questions with a registered version; goes on where it was cut off."""
    run_stage("predict", questions, output, version)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder: the reader, in it ir/ with the retriever.")],
    version: _Version = "@champion",
) -> None:
    """Write a version as its authors publish it: transformers and colbert-ai load it by themselves."""
    run_stage("export", folder, version)


@app.command("import")
def import_pair(
    folder: Annotated[Path, typer.Argument(help="A reader's folder with the ColBERT checkpoint in ir/.")],
) -> None:
    """Take a published pair as base models: writes imported/ and prints the settings that start from it."""
    run_stage("import_pair", folder)
