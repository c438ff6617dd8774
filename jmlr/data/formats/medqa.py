"""MedQA (USMLE): JSON lines with question, options by letter, answer_idx. Source: Jin et al. 2020, arXiv 2009.13081."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import field
from jmlr.data.rows import agreed, clean, content_id, letter_index, lettered_options, line_rows, text_of
from jmlr.data.splits import split_from_name
from jmlr.types import Question, Row

_KEYS = {"question", "answer", "options", "answer_idx", "meta_info", "metamap_phrases"}


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The questions of one file; ids are made from their content, the split is the one in the file's name.

    Raises:
        DataError: naming the line that is not MedQA.
    """
    split = split_from_name(path)

    def made(row: dict[str, Any], number: int) -> Question:
        where = f"{path}, line {number}"
        text = clean(field(row, "question", str, where))
        options = lettered_options(row, where)
        index = letter_index(field(row, "answer_idx", str, where), options)
        return Question(
            question_id=f"medqa:{content_id(text, *options)}",
            text=text,
            options=options,
            answer_index=agreed(index, text_of(row, "answer", where), options, where),
            split=split,
            source="medqa",
            question_type=text_of(row, "meta_info", where),
            licence=source.licence,
            origin_id=f"line {number}",
        )

    return line_rows(path, made, _KEYS)
