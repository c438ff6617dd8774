"""What was read, by arm, and one split of it: what every metric is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jmlr.answering.answered import Answered
from jmlr.evaluation.evidence import Evidence
from jmlr.evaluation.notation import GOLD_SUFFIX, ordered_arms
from jmlr.evaluation.statistics.accuracy import outcomes
from jmlr.settings import EvaluateSettings
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


Rankings = Mapping[str, Mapping[str, Sequence[str]]]
"""By the ranking's name and question id, passage ids, best first."""


@dataclass(frozen=True)
class Split:
    """The questions of one split, and what all arms and rankings made of them.

    Attributes:
        settings: level, resamples and seed of the intervals, cutoffs, bounds.
        questions: of this split, at least one.
        readings: of all splits.
        rankings: of all splits.
    """

    settings: EvaluateSettings
    questions: Sequence[Question]
    readings: Readings
    rankings: Rankings

    @property
    def name(self) -> str:
        """Of the split."""
        return self.questions[0].split

    def asked(self, arm: str) -> Sequence[Question]:
        """The questions that count for an arm: for a gold arm those with a known gold passage, else all."""
        with_gold_only = arm.endswith(GOLD_SUFFIX)
        return [one for one in self.questions if one.gold_passage_ids] if with_gold_only else self.questions

    @cached_property
    def right(self) -> dict[str, NDArray[np.bool_]]:
        """Per arm, in listing order, whether it is right on each question that counts for it.

        Raises:
            DataError: if answers do not fit the questions (see `outcomes`).
        """
        answered = self.readings.answered
        return {arm: outcomes(self.asked(arm), answered[arm], arm) for arm in ordered_arms(answered) if self.asked(arm)}

    @property
    def plain(self) -> dict[str, NDArray[np.bool_]]:
        """`right` of the arms that were asked every question."""
        return {arm: values for arm, values in self.right.items() if not arm.endswith(GOLD_SUFFIX)}
