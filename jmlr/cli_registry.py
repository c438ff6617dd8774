"""The commands that speak with the MLflow registry; jmlr.cli puts them among its own."""

from __future__ import annotations

import typer

from jmlr.cli_stage import run_stage

app = typer.Typer()


@app.command()
def register() -> None:
    """Make one MLflow registry version of the trained retriever, reader and index."""
    run_stage("register")
