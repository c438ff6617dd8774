"""What answering a question yields, and the file that keeps answers as they are given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jmlr.files import append_json, read_lines
from jmlr.types import Hit

NO_ANSWER = "no answer: the likeliest options are equally likely"
TEMPERATURE_RANGE = (0.01, 100.0)
"""Where the temperature of confidences is looked for; the ends are reached where all or nothing is answered right."""


@dataclass(frozen=True)
class Answered:
    """One answered question.

    Attributes:
        question_id: the question's id.
        option_scores: per option, the reader's mean log-likelihood a token (nats).
        option_probabilities: softmax of `option_scores`; they sum to 1.
        hits: all retrieved passages, best first; empty for the closed book.
        read_passage_ids: the passages the reader read, best first.
    """

    question_id: str
    option_scores: tuple[float, ...]
    option_probabilities: tuple[float, ...]
    hits: tuple[Hit, ...] = ()
    read_passage_ids: tuple[str, ...] = ()

    @property
    def best_index(self) -> int:
        """The likeliest option; the first of equals."""
        return max(range(len(self.option_scores)), key=self.option_scores.__getitem__)

    @property
    def chosen_index(self) -> int | None:
        """The likeliest option; None where several are equally likely: that is no answer, and counts as wrong.

        >>> Answered("q1", (-2.0, -1.0), (0.27, 0.73)).chosen_index
        1
        >>> Answered("q1", (-1.0, -1.0), (0.5, 0.5)).chosen_index is None
        True
        """
        return self.best_index if self.option_scores.count(max(self.option_scores)) == 1 else None

    def chosen(self, options: Sequence[str]) -> str:
        """The text of the chosen option, or that there is none."""
        return NO_ANSWER if self.chosen_index is None else options[self.chosen_index]


class Journal:
    """A JSON-lines file of answers by question id; a line that was cut off in its middle is not an answer.

    Args:
        file: made when the first answer is kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        answers = [_answered(json.loads(line)) for line in read_lines(file)]
        self.kept = {answered.question_id: answered for answered in answers}

    def keep(self, answers: Sequence[Answered]) -> None:
        """Adds answers to the file."""
        append_json(self.file, map(asdict, answers))
        self.kept.update((answered.question_id, answered) for answered in answers)


def _answered(row: dict[str, Any]) -> Answered:
    return Answered(
        question_id=row["question_id"],
        option_scores=tuple(row["option_scores"]),
        option_probabilities=tuple(row["option_probabilities"]),
        hits=tuple(Hit(**hit) for hit in row["hits"]),
        read_passage_ids=tuple(row["read_passage_ids"]),
    )
