"""The commands that answer over HTTP; jmlr.cli.app puts them among its own."""

from __future__ import annotations

from typing import Annotated

import typer

from jmlr.cli.table import run

app = typer.Typer()

_Version = Annotated[
    str,
    typer.Option(help="@champion, a number, models:/NAME/NUMBER, or `build` for the trained pair of this checkout."),
]
_Host = Annotated[str | None, typer.Option(help="Address to listen on; by default serve.host of params.yaml.")]
_Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one; by default serve.port.")]
_Compare = Annotated[
    list[str] | None,
    typer.Option(
        help="Another version, or closed_book; by default @champion, @challenger and closed_book, as far as there are "
        "any. `none`: nothing."
    ),
]


@app.command()
def serve(version: _Version = "@champion", host: _Host = None, port: _Port = None) -> None:
    """Answer questions over HTTP with a registered version; docs/serving.md tells more. Not for clinical use."""
    from jmlr.commands.serve.serve import Wanted

    run("serve", Wanted(version, host=host, port=port))


@app.command()
def ui(version: _Version = "@champion", compare: _Compare = None, host: _Host = None, port: _Port = None) -> None:
    """Serve the web page (and the API): ask, see what was read and why, compare versions. Not for clinical use."""
    from jmlr.commands.serve.serve import Wanted

    others = None if not compare else tuple(spec for spec in compare if spec != "none")
    run("serve", Wanted(version, others, host, port, page=True))
