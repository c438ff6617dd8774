"""Our own format: JSON lines, a question or a passage each (docs/data.md); a line with "question" is a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import field, plain_path
from jmlr.data.rows import agreed, answer_index, line_rows, text_of, texts_of
from jmlr.errors import DataError
from jmlr.types import SPLITS, Passage, Question, Row

_PASSAGE_KEYS = {"passage_id", "text", "title", "source", "document_id", "section", "licence"}
_QUESTION_KEYS = {
    *("question_id", "question", "options", "answer_index", "answer", "split"),
    *("source", "question_type", "subject", "gold_passage_ids", "licence", "rationale"),
}


def _refuse_unknown(row: dict[str, Any], known: set[str], where: str) -> None:
    """Refuses unknown keys: a misspelt one would be lost silently."""
    unknown = sorted(set(row) - known)
    if unknown:
        raise DataError(f"unknown key(s) {', '.join(unknown)}", expected=f"some of {sorted(known)}", where=where)


def _id(row: dict[str, Any], name: str, where: str) -> str:
    found = text_of({name: field(row, name, str, where)}, name, where)
    if not found:
        raise DataError(f"{name} is empty", expected="an id of its own", where=where)
    return found


def _passage(row: dict[str, Any], where: str, path: Path, source: SourceSettings) -> Passage:
    _refuse_unknown(row, _PASSAGE_KEYS, where)
    return Passage(
        passage_id=_id(row, "passage_id", where),
        text=text_of(row, "text", where),
        title=text_of(row, "title", where),
        source=text_of(row, "source", where) or plain_path(path).stem,
        document_id=text_of(row, "document_id", where),
        section=text_of(row, "section", where),
        licence=text_of(row, "licence", where) or source.licence,
    )


def _answer_index(row: dict[str, Any], options: tuple[str, ...], where: str) -> int:
    answer = text_of(row, "answer", where)
    if "answer_index" not in row:
        return answer_index(answer, options)
    index = row["answer_index"]
    # A column of numbers with gaps is one of floats to pandas.
    whole = int(index) if isinstance(index, float) and index.is_integer() else index
    return agreed(field({"answer_index": whole}, "answer_index", int, where), answer, options, where)


def _question(row: dict[str, Any], where: str, path: Path, source: SourceSettings) -> Question:
    _refuse_unknown(row, _QUESTION_KEYS, where)
    options, split = texts_of(row, "options", where), text_of(row, "split", where)
    if split and split not in SPLITS:
        raise DataError(f"split {split!r}", expected=f"one of {', '.join(SPLITS)}, or none", where=where)
    return Question(
        question_id=_id(row, "question_id", where),
        text=text_of(row, "question", where),
        options=options,
        answer_index=_answer_index(row, options, where),
        split=split,
        source=text_of(row, "source", where) or plain_path(path).stem,
        question_type=text_of(row, "question_type", where),
        subject=text_of(row, "subject", where),
        gold_passage_ids=texts_of({"gold_passage_ids": [], **row}, "gold_passage_ids", where),
        licence=text_of(row, "licence", where) or source.licence,
        origin_id=row["question_id"],
        rationale=text_of(row, "rationale", where),
    )


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The passages and questions of one file; ids are the user's own.

    Raises:
        DataError: naming the line with an unknown, missing or wrong key.
    """

    def made(row: dict[str, Any], number: int) -> Passage | Question:
        # A table with a column for each key of both kinds has null or NaN where a row has none.
        row = {key: value for key, value in row.items() if value is not None}
        is_question = "question_id" in row or "question" in row
        return (_question if is_question else _passage)(row, f"{path}, line {number}", path, source)

    return line_rows(path, made)
