"""MMLU: CSV without header: question, A, B, C, D, answer. Source: Hendrycks et al. 2021, arXiv 2009.03300."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import plain_path, read_text
from jmlr.data.rows import clean, content_id, letter_index, usable
from jmlr.data.splits import split_from_name
from jmlr.errors import DataError
from jmlr.types import Question, Row

_COLUMNS = 6


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers, at which the rows end, and rows of six cells."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if cells:
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        # The reader notices a quote that nothing closes at the end of the file only: named is where the row begins.
        raise DataError(
            f"broken CSV: {error}",
            expected="each quote closed",
            where=f"{path}, row that begins at line {rows[-1][0] + 1 if rows else 1}",
            next_step='close the quote, and write a quote within a text as ""',
        ) from error
    for line, cells in rows:
        if len(cells) != _COLUMNS:
            raise DataError(
                f"{len(cells)} columns",
                expected=f"{_COLUMNS}: question, A, B, C, D, answer",
                where=f"{path}, line {line}",
                next_step="put a text that holds commas or quotes in quotes",
            )
    return rows


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The questions of one file; subject and split are those in its name (`anatomy_test.csv`).

    Raises:
        DataError: naming the line of a broken row.
    """
    split = split_from_name(path)
    subject = re.sub(r"_(train|dev|val|test)$", "", plain_path(path).stem).replace("_", " ")
    for line, cells in _rows(path):
        text, *options, answer = (clean(cell) for cell in cells)
        question = Question(
            question_id=f"mmlu:{subject.replace(' ', '_')}:{content_id(text, *options)}",
            text=text,
            options=tuple(options),
            answer_index=letter_index(answer, options),
            split=split,
            source="mmlu",
            subject=subject,
            licence=source.licence,
            origin_id=f"line {line}",
        )
        yield usable(question, path, line)
