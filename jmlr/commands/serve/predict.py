"""Answers a table of questions with a registered version."""

from __future__ import annotations

import glob
from functools import partial
from pathlib import Path

from tqdm import tqdm

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.errors import DataError
from jmlr.files import alone
from jmlr.registry.version import batch
from jmlr.registry.version.lookup import load, resolve
from jmlr.settings import Settings
from jmlr.tracking.store import connect

ROWS_AT_ONCE = 64


def run(settings: Settings, questions: Path, output: Path, spec: str) -> None:
    """Writes the parquet table `output`: for each row of `questions` what the version says, with its passages.

    All rows are checked before the first is answered. What a try that was cut off has answered is kept beside
    `output`, and is taken if input and version are the same.

    Raises:
        DataError: naming file, row and column of what cannot be answered, or why `output` cannot be written.
        RegistryError: if there is no such version.
        JmlrError: if another process answers into `output`.
    """
    _check_output(questions, output)
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    try:
        count = batch.check_pieces(questions, ROWS_AT_ONCE)
    except DataError as error:
        raise DataError(
            error.found, expected=error.expected, where=error.where or str(questions), next_step=error.next_step
        ) from error
    made_of = fingerprint.of_json([fingerprint.of_file(questions), version.name, str(version.version), version.source])
    with alone(output.with_name(f".{output.name}.lock"), f"answers into {output}"):
        parts = output.with_name(f".{output.name}.{made_of[:12]}.parts")
        for other in set(output.parent.glob(f".{glob.escape(output.name)}.*.parts")) - {parts}:
            CONSOLE.print(
                f"{other} has answers to another input or by another version; remove it if you need it no more"
            )
        parts.mkdir(parents=True, exist_ok=True)
        model = load(client, version)
        with tqdm(total=count, unit="question", desc=f"{version.name} {version.version}") as bar:
            pieces = batch.read_pieces(questions, ROWS_AT_ONCE)
            for answered in batch.predict_pieces(pieces, partial(model.predict, None), parts):
                bar.update(answered)
        batch.join(parts, output)
    CONSOLE.print(f"{count} questions answered by {version.name} version {version.version} -> {output}")


def _check_output(questions: Path, output: Path) -> None:
    """Refuses a name under which the answers would overwrite the questions, or be taken for something else."""
    found = ""
    if questions.exists() and output.exists() and output.samefile(questions):
        found = "it is the table of questions itself"
    elif output.suffix != ".parquet" or output.is_dir():
        found = "a folder" if output.is_dir() else f"a name that ends in {output.suffix or 'nothing'}"
    if found:
        raise DataError(
            found,
            expected="a .parquet file of its own, for answers hold their passages",
            where=str(output),
            next_step=f"jmlr predict {questions} {questions.with_name('answers.parquet')}",
        )
