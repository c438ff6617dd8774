"""The collapse guard: a retriever that finds the same passages for all questions, or cannot tell passages apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jmlr.errors import TrainingFailed
from jmlr.training import processes

if TYPE_CHECKING:
    from jmlr.settings import CollapseSettings


class CollapseGuard:
    """Warns once, or stops, when a figure of the steps stays below its bound for so many steps in a row.

    The figures are `distinct_top_1`, the share of a step's questions with a best passage of their own, and
    `score_spread`, the standard deviation of the sampled passages' scores. Arms without them are never collapsed.
    """

    def __init__(self, settings: CollapseSettings | None) -> None:
        self._settings = settings
        self._steps_below = {"distinct_top_1": 0, "score_spread": 0}
        self._warned = False

    def check(self, step: int, figures: Mapping[str, float]) -> None:
        """Counts the steps below each bound; does nothing without settings.

        Raises:
            TrainingFailed: with the figure, where the action is to stop.
        """
        if self._settings is None:
            return
        bounds = {"distinct_top_1": self._settings.min_distinct_top_1, "score_spread": self._settings.min_score_spread}
        for name, bound in bounds.items():
            if name in figures:
                self._steps_below[name] = self._steps_below[name] + 1 if figures[name] < bound else 0
                if self._steps_below[name] >= self._settings.patience_steps:
                    self._act(self._settings.action, self._error(name, figures[name], bound, step))

    def remember(self) -> dict[str, Any]:
        """Steps below each bound so far, and whether a warning was given."""
        return {"steps_below": self._steps_below, "warned": self._warned}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes what `remember` gave."""
        self._steps_below, self._warned = dict(memory["steps_below"]), memory["warned"]

    def _error(self, name: str, value: float, bound: float, step: int) -> TrainingFailed:
        return TrainingFailed(
            f"the retriever has collapsed: {name} is {value:.4g}, and has been below its bound for "
            f"{self._steps_below[name]} steps",
            expected=f"at least {bound:.4g} (train.collapse.min_{name})",
            where=f"arm jmlr, step {step}",
            next_step="lower train.retriever.learning_rate, or set other bounds in train.collapse",
        )

    def _act(self, action: str, error: TrainingFailed) -> None:
        if action == "stop":
            raise error
        if not self._warned and processes.is_first():
            self._warned = True
            warnings.warn(str(error), stacklevel=2)
