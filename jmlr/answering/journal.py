"""Answers kept as they are given, so that an evaluation that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jmlr.answering.answered import Answered
from jmlr.files import write_text
from jmlr.types import Hit


class Journal:
    """A JSON-lines file of answers by question id; a line that was cut off in its middle is not an answer.

    Args:
        file: made when the first answer is kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.kept: dict[str, Answered] = {}
        for line in file.read_bytes().splitlines() if file.exists() else ():
            try:
                answered = _answered(json.loads(line))
            except (ValueError, KeyError, TypeError):
                break  # what follows a line that was cut off is answered again
            self.kept[answered.question_id] = answered
        if file.exists():
            write_text(file, _lines(list(self.kept.values())))

    def keep(self, answers: Sequence[Answered]) -> None:
        """Adds answers to the file."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(_lines(answers))
        self.kept.update((answered.question_id, answered) for answered in answers)


def _lines(answers: Sequence[Answered]) -> str:
    return "".join(f"{json.dumps(asdict(answered))}\n" for answered in answers)


def _answered(row: dict[str, Any]) -> Answered:
    return Answered(
        question_id=row["question_id"],
        option_scores=tuple(row["option_scores"]),
        option_probabilities=tuple(row["option_probabilities"]),
        hits=tuple(Hit(**hit) for hit in row["hits"]),
        read_passage_ids=tuple(row["read_passage_ids"]),
    )
