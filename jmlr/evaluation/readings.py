"""What was read, by arm: what an evaluation measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jmlr.answering.answered import Answered
from jmlr.evaluation.evidence import Evidence
from jmlr.types import Passage, Question


@dataclass
class Readings:
    """What was read, by arm.

    Attributes:
        answered: answers, controls included (`jmlr_gold`, `jmlr_shuffled`, `jmlr_bm25`).
        choices: by question id the option chosen in each order of the options.
        said: by question id what the reader wrote.
        strict: by question id the option that this names, or None.
        dev: questions of the split dev, on which temperature and threshold of confidence are chosen.
        fitted_on: answers to them.
        evidence: what leaving out each read passage does.
        passages: all there are; needed for rationales alone.
    """

    answered: dict[str, list[Answered]] = field(default_factory=dict)
    choices: dict[str, dict[str, tuple[int | None, ...]]] = field(default_factory=dict)
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    strict: dict[str, dict[str, int | None]] = field(default_factory=dict)
    dev: Sequence[Question] = ()
    fitted_on: dict[str, list[Answered]] = field(default_factory=dict)
    evidence: dict[str, list[Evidence]] = field(default_factory=dict)
    passages: Sequence[Passage] = ()
