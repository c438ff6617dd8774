"""One progress bar an arm."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jmlr.training import processes


class ProgressBar(TrainerCallback):
    """One bar an arm, with its loss; the first process shows it."""

    def __init__(self, arm: str) -> None:
        self._arm, self._bar = arm, None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Opens the bar."""
        title, done = f"training {self._arm}", state.global_step
        hidden = not processes.is_first()
        self._bar = tqdm(total=state.max_steps, initial=done, desc=title, unit="step", disable=hidden)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Moves the bar."""
        logs = others.get("logs") or {}
        if self._bar is not None and "loss" in logs:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
            self._bar.update(state.global_step - self._bar.n)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()
