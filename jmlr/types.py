"""Rows that travel between stages, and the letters of tensor axes.

Axes, one letter each: B questions, K passages of a pool (M of them sampled, k of them read), Q query tokens,
D passage tokens, H dimensions of a token embedding, T reader tokens, V reader vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

EvaluatedSplit = Literal["dev", "test", "test_seen"]
SPLITS = ("train", *get_args(EvaluatedSplit))
"""`test` holds subjects never asked about in training; `test_seen` new questions on subjects of training."""

OPTION_LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Passage:
    """One retrievable text with its origin; `start` and `end` are its characters in the text it was cut from."""

    passage_id: str
    text: str
    title: str = ""
    source: str = ""
    document_id: str = ""
    section: str = ""
    licence: str = ""
    start: int = 0
    end: int = 0

    @property
    def indexed_text(self) -> str:
        """What is embedded and read: the title, if the text does not open with it, then the text.

        >>> Passage("p1", "Gout is painful.", title="Gout").indexed_text
        'Gout is painful.'
        >>> Passage("p1", "It is painful.", title="Gout").indexed_text
        'Gout. It is painful.'
        """
        if not self.title or self.text.lower().startswith(self.title.lower()):
            return self.text
        return f"{self.title}. {self.text}"


@dataclass(frozen=True)
class Question:
    """One exam question; `answer_index` points into `options`, `origin_id` is its id or place in its source."""

    question_id: str
    text: str
    options: tuple[str, ...]
    answer_index: int
    split: str
    source: str = ""
    question_type: str = ""
    subject: str = ""
    gold_passage_ids: tuple[str, ...] = ()
    licence: str = ""
    origin_id: str = ""
    rationale: str = ""

    @property
    def answer(self) -> str:
        """The text of the right option.

        >>> Question("q1", "Which test?", ("MRI", "ECG"), 1, "test").answer
        'ECG'
        """
        return self.options[self.answer_index]


@dataclass(frozen=True)
class Hit:
    """One retrieved passage; `score` is its MaxSim with the question, in a fused ranking its sum of 1 / (60 + rank)."""

    passage_id: str
    score: float


@dataclass(frozen=True)
class Leak:
    """A test question found again in what training or retrieval sees.

    Attributes:
        question_id: of the test question.
        part: `question` or `rationale`, what was found again.
        found_in: `training question` or `passage`.
        other_id: of the question or passage that holds it; of several passages of one document, joined by " | ".
        match: `exact` or `near`.
        score: share that is found again, 0 to 1.
    """

    question_id: str
    part: str
    found_in: str
    other_id: str
    match: str
    score: float


@dataclass(frozen=True)
class Rejected:
    """A raw row that cannot be used, and why."""

    file: str
    row: str
    reason: str
    detail: str = ""


Row = Passage | Question | Rejected
"""What a raw row becomes."""
