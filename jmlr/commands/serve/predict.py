"""Answers a table of questions with a version, piece by piece; a try that was cut off is continued."""

from __future__ import annotations

import glob
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.errors import DataError
from jmlr.files import alone, replacing
from jmlr.registry.version.lookup import load, resolve
from jmlr.registry.version.rows import OPTIONS, QUESTION, questions_of
from jmlr.settings import Settings
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS_AT_ONCE = 64

PREDICTION_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("question_id", pa.string()),
        (QUESTION, pa.string()),
        (OPTIONS, pa.list_(pa.string())),
        ("answer", pa.string()),
        ("answer_index", pa.int64()),
        ("option_probabilities", pa.list_(pa.float64())),
        ("confidence", pa.float64()),
        ("abstained", pa.bool_()),
        (
            "passages",
            pa.list_(
                pa.struct(
                    [
                        ("passage_id", pa.string()),
                        ("title", pa.string()),
                        ("text", pa.string()),
                        ("score", pa.float64()),
                        ("read", pa.bool_()),
                    ]
                )
            ),
        ),
        ("model", pa.struct([(name, pa.string()) for name in ("name", "version", "pair_hash", "run_id")])),
    ]
)
"""Columns of the written table; `row` counts from 0 in the input."""


def run(settings: Settings, questions: Path, output: Path, spec: str) -> None:
    """Writes the parquet table `output`: for each row of `questions` what the version says, with its passages.

    All rows are checked before the first is answered. The answers of a try that was cut off are kept beside `output`,
    and are used if input and version are the same.

    Raises:
        DataError: naming file, row and column of what cannot be answered, or why `output` cannot be written.
        RegistryError: if there is no such version.
        JmlrError: if another process answers into `output`.
    """
    _check_output(questions, output)
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    try:
        count = check_pieces(questions, ROWS_AT_ONCE)
    except DataError as error:
        raise DataError(
            error.found, expected=error.expected, where=error.where or str(questions), next_step=error.next_step
        ) from error
    made_of = fingerprint.of_json([fingerprint.of_file(questions), version.name, str(version.number), version.source])
    with alone(output.with_name(f".{output.name}.lock"), f"answers into {output}"):
        parts = output.with_name(f".{output.name}.{made_of[:12]}.parts")
        for other in set(output.parent.glob(f".{glob.escape(output.name)}.*.parts")) - {parts}:
            CONSOLE.print(f"{other} has answers to another input or by another version; remove it if it is not needed")
        parts.mkdir(parents=True, exist_ok=True)
        model = load(client, version)
        with tqdm(total=count, unit="question", desc=str(version)) as bar:
            pieces = read_pieces(questions, ROWS_AT_ONCE)
            for answered in predict_pieces(pieces, partial(model.predict, None), parts):
                bar.update(answered)
        join(parts, output)
    CONSOLE.print(f"{count} questions answered by {version} -> {output}")


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


def read_pieces(file: Path, rows: int) -> Iterator[DataFrame]:
    """A table of questions, at most `rows` at once: .parquet, .jsonl, or .csv whose options are a JSON list of texts.

    Raises:
        DataError: if the file is missing, of another kind, or broken.
    """
    try:
        if file.suffix == ".parquet":
            with pq.ParquetFile(file) as table:
                for batch in table.iter_batches(batch_size=rows):
                    yield batch.to_pandas()
        elif file.suffix == ".jsonl":
            found = _json_rows(file)  # pandas would drop half a character, and make dates and numbers of texts
            while piece := list(islice(found, rows)):
                yield pd.DataFrame(piece, dtype=object)
        elif file.suffix == ".csv":
            for piece in pd.read_csv(file, chunksize=rows, dtype=str, keep_default_na=False):
                yield piece.assign(**{OPTIONS: piece[OPTIONS].map(_options)}) if OPTIONS in piece else piece
        else:
            raise ValueError(f"a {file.suffix or 'nameless'} file")
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise DataError(
            f"cannot be read ({error})",
            expected=f"a .parquet, .jsonl or .csv file with columns {QUESTION} and {OPTIONS}",
            where=str(file),
            next_step="fix the file, or name another",
        ) from error


def _json_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl file in UTF-8, with a mark or without.

    Raises:
        ValueError: naming the row that is none.
    """
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(line for line in stream if line.strip()):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"row {number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"row {number}: a {type(row).__name__}, not an object")
            yield row


def _options(cell: str) -> Any:
    """A CSV cell's JSON list; any other text stays as it is, for the check of rows to name it."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def check_pieces(file: Path, rows: int) -> int:
    """Number of rows of a table in which every row can be answered; nothing is loaded but the table.

    Raises:
        DataError: naming row and column of what cannot be answered.
    """
    first = 0
    for piece in read_pieces(file, rows):
        questions_of(piece, first)
        first += len(piece)
    return first


def predict_pieces(
    pieces: Iterator[DataFrame], predict: Callable[[DataFrame], list[dict[str, Any]]], parts: Path
) -> Iterator[int]:
    """Answers each piece into a file of its own in `parts`; a piece that has one is not answered again.

    Args:
        pieces: the same at every try.
        predict: of the registered model.
        parts: a folder of this input and this version.

    Yields:
        The number of rows of each piece.
    """
    first = 0
    for number, piece in enumerate(pieces):
        file = parts / f"{number:08d}.parquet"
        if not file.exists():
            answers = predict(piece[[QUESTION, OPTIONS]])
            known = piece["question_id"] if "question_id" in piece else [None] * len(piece)
            asked = zip(known, piece[QUESTION], piece[OPTIONS], answers, strict=True)
            rows = [
                {
                    "row": first + place,
                    "question_id": None if pd.isna(name) else str(name),
                    QUESTION: text,
                    OPTIONS: list(options),
                    **answer,
                }
                for place, (name, text, options, answer) in enumerate(asked)
            ]
            with replacing(file) as unfinished:
                pq.write_table(pa.Table.from_pylist(rows, PREDICTION_SCHEMA), unfinished)
        first += len(piece)
        yield len(piece)


def join(parts: Path, output: Path) -> None:
    """Writes the files of `parts` as one table `output`, whole or not at all, and removes them."""
    with replacing(output) as unfinished:
        with pq.ParquetWriter(unfinished, PREDICTION_SCHEMA) as writer:
            for file in sorted(parts.glob("*.parquet")):
                writer.write_table(pq.read_table(file, schema=PREDICTION_SCHEMA))
    shutil.rmtree(parts)
