"""The collapse guard: a retriever that finds the same passages for all questions, or cannot tell passages apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from jmlr.errors import TrainingFailed
from jmlr.settings import CollapseSettings
from jmlr.training import processes
from jmlr.training.step_callback import StepCallback


class CollapseGuard(StepCallback):
    """Warns once, or stops, when a figure of the steps stays below its bound for so many steps in a row.

    The figures are `distinct_top_1`, the share of a step's questions with a best passage of their own, and
    `score_spread`, the standard deviation of the sampled passages' scores. Arms without them are never collapsed.
    """

    def __init__(self, settings: CollapseSettings) -> None:
        self._settings = settings
        self._bounds = {"distinct_top_1": settings.min_distinct_top_1, "score_spread": settings.min_score_spread}
        self._steps_below = dict.fromkeys(self._bounds, 0)
        self._warned = False

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Counts the steps below each bound.

        Raises:
            TrainingFailed: with the figure, where the action is to stop.
        """
        figures = others.get("logs") or {}
        for name, bound in self._bounds.items():
            if name in figures:
                self._steps_below[name] = self._steps_below[name] + 1 if figures[name] < bound else 0
                if self._steps_below[name] >= self._settings.patience_steps:
                    self._act(name, figures[name], state.global_step)

    def remember(self) -> dict[str, Any]:
        """Steps below each bound so far, and whether a warning was given."""
        return {"steps_below": self._steps_below, "warned": self._warned}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes what `remember` gave."""
        self._steps_below, self._warned = dict(memory["steps_below"]), memory["warned"]

    def _act(self, name: str, value: float, step: int) -> None:
        error = TrainingFailed(
            f"the retriever has collapsed: {name} is {value:.4g}, and has been below its bound for "
            f"{self._steps_below[name]} steps",
            expected=f"at least {self._bounds[name]:.4g} (train.collapse.min_{name})",
            where=f"arm jmlr, step {step}",
            next_step="lower train.retriever.learning_rate, or set other bounds in train.collapse",
        )
        if self._settings.action == "stop":
            raise error
        if not self._warned and processes.is_first():
            self._warned = True
            warnings.warn(str(error), stacklevel=2)
