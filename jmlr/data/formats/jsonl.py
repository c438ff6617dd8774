"""Our own format: JSON lines, a question or a passage each (docs/data.md); a line with "question" is a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.config import SourceSettings
from jmlr.data.raw_files import field, plain_path
from jmlr.data.rows import answer_index, clean, line_rows
from jmlr.errors import DataError
from jmlr.types import SPLITS, Passage, Question, Row

_PASSAGE_KEYS = {"passage_id", "text", "title", "source", "document_id", "section", "licence"}
_QUESTION_KEYS = {
    *("question_id", "question", "options", "answer_index", "answer", "split"),
    *("source", "question_type", "subject", "gold_passage_ids", "licence", "rationale"),
}


def _refuse_unknown(row: dict[str, Any], known: set[str], where: str) -> None:
    """A misspelt key would be lost in silence."""
    unknown = sorted(set(row) - known)
    if unknown:
        raise DataError(f"unknown key(s) {', '.join(unknown)}", expected=f"some of {sorted(known)}", where=where)


def _id(row: dict[str, Any], name: str, where: str) -> str:
    found = clean(field(row, name, str, where))
    if not found:
        raise DataError(f"{name} is empty", expected="an id of its own", where=where)
    return found


def _passage(row: dict[str, Any], where: str, path: Path, source: SourceSettings) -> Passage:
    _refuse_unknown(row, _PASSAGE_KEYS, where)
    return Passage(
        passage_id=_id(row, "passage_id", where),
        text=clean(field(row, "text", str, where)),
        title=clean(row.get("title")),
        source=clean(row.get("source")) or plain_path(path).stem,
        document_id=clean(row.get("document_id")),
        section=clean(row.get("section")),
        licence=clean(row.get("licence")) or source.licence,
    )


def _answer_index(row: dict[str, Any], options: tuple[str, ...], where: str) -> int:
    if "answer_index" not in row:
        return answer_index(row.get("answer"), options)
    index = field(row, "answer_index", int, where)
    if "answer" in row and answer_index(row["answer"], options) != index:
        raise DataError(f"answer_index {index} is not answer {row['answer']!r}", expected="one of them", where=where)
    return index


def _question(row: dict[str, Any], where: str, path: Path, source: SourceSettings) -> Question:
    _refuse_unknown(row, _QUESTION_KEYS, where)
    options = tuple(clean(option) for option in field(row, "options", list, where))
    split = clean(row.get("split"))
    if split and split not in SPLITS:
        raise DataError(f"split {split!r}", expected=f"one of {', '.join(SPLITS)}, or none", where=where)
    return Question(
        question_id=_id(row, "question_id", where),
        text=clean(field(row, "question", str, where)),
        options=options,
        answer_index=_answer_index(row, options, where),
        split=split,
        source=clean(row.get("source")) or plain_path(path).stem,
        question_type=clean(row.get("question_type")),
        subject=clean(row.get("subject")),
        gold_passage_ids=tuple(map(clean, field({"gold_passage_ids": [], **row}, "gold_passage_ids", list, where))),
        licence=clean(row.get("licence")) or source.licence,
        origin_id=str(row["question_id"]),
        rationale=clean(row.get("rationale")),
    )


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The passages and questions of one file; ids are the user's own.

    Raises:
        DataError: naming the line with an unknown, missing or wrong key.
    """

    def made(row: dict[str, Any], number: int) -> Passage | Question:
        return (_question if "question" in row else _passage)(row, f"{path}, line {number}", path, source)

    return line_rows(path, made)
