"""MedMCQA: JSON lines with opa to opd and cop from 1 to 4. Source: Pal et al. 2022, arXiv 2203.14371."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import field
from jmlr.data.rows import clean, line_rows, text_of
from jmlr.data.splits import split_from_name
from jmlr.errors import DataError
from jmlr.types import Question, Row

_OPTIONS = ("opa", "opb", "opc", "opd")
_KEYS = {"id", "question", *_OPTIONS, "cop", "choice_type", "exp", "subject_name", "topic_name"}


def _answer_index(cop: object, where: str) -> int:
    """The answer's index from `cop`; -1 where the file is unlabelled (cop absent, null or -1).

    Raises:
        DataError: on 0, which the Hugging Face copy uses for the first option: its answers would all be one off.
    """
    if cop is None or cop == -1:
        return -1
    if isinstance(cop, bool) or not isinstance(cop, int) or not 1 <= cop <= len(_OPTIONS):
        raise DataError(
            f"cop is {cop!r}",
            expected="1 to 4 (or -1: unlabelled); a copy that counts from 0 is not the published form",
            where=where,
            next_step="add 1 to every cop of a copy that counts from 0",
        )
    return cop - 1


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The questions of one file; unlabelled ones (the published test file) are rejected.

    Raises:
        DataError: naming the line that is not MedMCQA.
    """
    split = split_from_name(path)

    def made(row: dict[str, Any], number: int) -> Question:
        where = f"{path}, line {number}"
        return Question(
            question_id=f"medmcqa:{field(row, 'id', str, where)}",
            text=clean(field(row, "question", str, where)),
            options=tuple(text_of(row, name, where) for name in _OPTIONS),
            answer_index=_answer_index(row.get("cop"), where),
            split=split,
            source="medmcqa",
            question_type=text_of(row, "choice_type", where),
            subject=text_of(row, "subject_name", where),
            licence=source.licence,
            origin_id=row["id"],
            rationale=text_of(row, "exp", where),
        )

    return line_rows(path, made, _KEYS)
