"""The command line: one command for each DVC stage, and what else a person asks. Errors exit with 2 mostly."""

from __future__ import annotations

import errno
import re
import shlex
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from jmlr import failure, telemetry
from jmlr.cli import registry, serving
from jmlr.cli.table import run
from jmlr.errors import ConfigError, JmlrError
from jmlr.settings import description

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joint training of a retriever and a reader on medical exam questions. Not for clinical use.",
)
starter_app = typer.Typer(no_args_is_help=True, help="The embedded default data.")
app.add_typer(starter_app, name="starter")
data_app = typer.Typer(no_args_is_help=True, help="What came in: look at it, and accept it.")
app.add_typer(data_app, name="data")
app.add_typer(registry.app)
app.add_typer(serving.app)

_debug = False

DATA_FOLDER = Path("data")
PLACE_ERRORS = FileExistsError | FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError
"""What a path that a person names may lead to."""


class _Tables(str, Enum):
    """The tables of build/ingest."""

    passages = "passages"
    questions = "questions"


class _CommandWithSettings(TyperCommand):
    """A command whose help lists the settings of the block of its name."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the usual help, then the settings."""
        super().format_help(ctx, formatter)
        formatter.write(description.help_text(str(self.name)))


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Options before the command."""
    global _debug
    _debug = debug


@app.command()
def ingest(
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read; by default one a core.")] = None,
) -> None:
    """Read the raw files of data/ into the tables of passages and questions."""
    run("ingest", *([] if workers is None else [workers]))


@app.command()
def validate() -> None:
    """Check both tables; a broken critical expectation stops the pipeline."""
    run("validate")


@app.command()
def base() -> None:
    """Make or fetch the retriever and the reader as they are before joint training."""
    run("base")


@app.command()
def index() -> None:
    """Index the passages with the base retriever and list candidates for every question."""
    run("index")


@app.command()
def refresh(
    version: Annotated[
        str, typer.Option(help="Whose models: a number or an alias; by default the champion, else the newest.")
    ] = "",
) -> None:
    """Give a registered version's models an index of the passages of today, without training, in build/refreshed.

    Then `jmlr evaluate --refreshed` compares it with that version, and `jmlr register --refreshed` proposes it.
    """
    run("refresh", version)


@app.command(cls=_CommandWithSettings)
def train() -> None:
    """Train all arms, resuming from the last checkpoint of the same settings; docs/training.md tells more."""
    run("train")


@app.command()
def evaluate(
    version: Annotated[
        str, typer.Option(help="Evaluate this registry version instead: a number, an alias, or models:/NAME/NUMBER.")
    ] = "",
    reader: Annotated[
        str, typer.Option(help="Evaluate this reader as it comes instead, with the current index: a folder or hub id.")
    ] = "",
    revision: Annotated[str | None, typer.Option(help="Commit hash of a --reader from a hub.")] = None,
    name: Annotated[str, typer.Option(help="Folder below build/evaluations; by default named after it.")] = "",
    refreshed: Annotated[
        bool, typer.Option("--refreshed", help="Evaluate build/refreshed instead, beside the version it comes from.")
    ] = False,
) -> None:
    """Compare the arms on the test questions; write metrics, plots and the report.

    With --version or --reader one model answers the same questions; build/evaluate stays as it is, and `jmlr compare`
    puts both side by side.
    """
    chosen = {"--version": version, "--reader": reader, "--refreshed": refreshed}
    words = [word for word, given in chosen.items() if given]
    if len(words) > 1:
        raise ConfigError(" and ".join(words), expected="one of them", next_step="evaluate one after the other")
    if (revision and not reader) or (name and not (version or reader)):
        raise ConfigError("--revision or --name alone", expected="--reader (or, for --name, --version) beside it")
    if version:
        run("evaluate_version", version, name)
    elif reader:
        run("evaluate_reader", reader, revision, name, asks_hub=revision is not None)
    elif refreshed:
        run("evaluate_refreshed")
    else:
        run("evaluate")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished evaluations, as build/evaluate is one.")],
) -> None:
    """Compare evaluations of the same protocol: side by side, and their mean over the seeds."""
    run("compare", folders)


@app.command()
def rationales(
    arm: Annotated[list[str], typer.Option(help="An arm that wrote; name two to have them judged.")],
    concepts: Annotated[str, typer.Option(help="medquad, tsv, titles, scispacy or quickumls.")] = "titles",
    place: Annotated[str, typer.Option(help="MedQuAD's folder, a table of names and CUIs, or a model.")] = "",
    judge: Annotated[
        str, typer.Option(help="A chat model that judges two arms: MODEL@URL, or MODEL@URL@KEY_VARIABLE.")
    ] = "",
) -> None:
    """Measure what arms wrote in words against the reference rationales; have a chat model judge two arms."""
    from jmlr.commands.evaluate.rationales import Asked

    run("rationales", Asked(tuple(arm), concepts, place, judge))


@app.command()
def results() -> None:
    """Print the result table, and where to look next."""
    run("results")


@app.command()
def ask(
    vignette: Annotated[str, typer.Argument(help="The question's text.")],
    option: Annotated[list[str], typer.Option("--option", "-o", help="One possible answer; give at least two.")],
    version: Annotated[str, typer.Option(help="Of the registry: a number or an alias; else build/train.")] = "",
    no_server: Annotated[
        bool, typer.Option("--no-server", help="Load the models, even where a running `jmlr serve` has them.")
    ] = False,
) -> None:
    """Answer a question with the trained pair, with the passages it read; a running `jmlr serve` of it is asked."""
    run("ask", vignette, option, version, not no_server)


@app.command()
def recipes(
    use: Annotated[str | None, typer.Option(help="Write params.yaml of this recipe, without running anything.")] = None,
) -> None:
    """List the recipes and what each needs; `dvc exp run -S recipe=NAME` runs one."""
    from jmlr.settings import recipes as catalogue

    if use is not None:
        catalogue.write_params(use)
        typer.echo(f"params.yaml is now that of recipe {use}; next: dvc repro")
        return
    for recipe in catalogue.describe():
        typer.echo(f"{recipe.name:<12} {recipe.summary}")
        for need in recipe.needs:
            typer.echo(f"{'':<12}   needs {need}")
    typer.echo("Run one: dvc exp run -S recipe=NAME")


@starter_app.command("data")
def starter_data(
    folder: Annotated[Path, typer.Option(help="Where passages.jsonl and questions.jsonl go.")] = DATA_FOLDER,
) -> None:
    """Write the starter's passages and questions, byte for byte the same on any machine."""
    from jmlr.starter import dataset

    dataset.write(folder)
    typer.echo(f"starter data: {folder}/passages.jsonl, {folder}/questions.jsonl")


@data_app.command("show")
def data_show(row_id: Annotated[str, typer.Argument(metavar="ID", help="Of a passage or a question.")]) -> None:
    """Print one passage or question with its origin; of a question also its gold passages and leaks."""
    from jmlr.commands.data import view

    view.show(row_id)


@data_app.command("sample")
def data_sample(
    table: Annotated[_Tables, typer.Argument(help="Which table to draw from.")] = _Tables.passages,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many rows.")] = 5,
    seed: Annotated[int | None, typer.Option(help="Of the draw; by default that of params.yaml.")] = None,
) -> None:
    """Print a few rows drawn at random."""
    from jmlr.commands.data import view
    from jmlr.settings import params

    view.sample(params.load(), table.value, count, seed)


@data_app.command("stats")
def data_stats() -> None:
    """Print how much came in from where, how long it is, and what was left out and why."""
    from jmlr.commands.data import view

    view.stats()


@data_app.command("accept")
def data_accept() -> None:
    """Take the validated data as what the next version is compared with (accepted_data.json)."""
    run("data_accept")


def _refuse_empty_words(words: Sequence[str]) -> None:
    if any(not word.strip() or re.fullmatch(r"--[\w-]+=", word) for word in words):
        found = f"an empty word in: jmlr {shlex.join(words)}"
        raise ConfigError(found, expected="a value", next_step="give one or leave it out; is a shell variable unset?")


def main() -> None:
    """Run the command line; what a person can fix is printed without its traceback and gives the exit status."""
    telemetry.turn_off()
    try:
        with failure.noted():
            _refuse_empty_words(sys.argv[1:])
            app()
    except (JmlrError, OSError) as error:
        if _debug or not (isinstance(error, JmlrError | PLACE_ERRORS) or error.errno == errno.EROFS):
            raise
        if isinstance(error, OSError):
            is_closed = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            next_step = "make it writable for this user, or name another place" if is_closed else "name another place"
            sys.stderr.write(f"error: {error.filename or 'a file'}: {error.strerror}.\n  next: {next_step}\n")
        else:
            sys.stderr.write(f"error: {error}\n")
        sys.exit(getattr(error, "exit_status", 2))
