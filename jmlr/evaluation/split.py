"""One split with all that was read of it: what every metric is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jmlr.evaluation.notation import GOLD_SUFFIX, ordered_arms
from jmlr.evaluation.readings import Readings
from jmlr.evaluation.statistics.accuracy import outcomes
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

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
