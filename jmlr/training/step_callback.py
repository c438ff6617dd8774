"""Callbacks whose figures go with the step's metrics, and whose memory goes with the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback


class StepCallback(TrainerCallback):
    """A callback of JointTrainer; the trainer calls what is below in every process, in the same order."""

    def take_metrics(self) -> dict[str, float]:
        """Figures of the step that has just ended, to be logged with it; they are forgotten here."""
        return {}

    def remember(self) -> dict[str, Any]:
        """What a resumed training must know, as JSON; asked for at every checkpoint."""
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes what `remember` gave to the checkpoint that the training goes on from; before the first step."""
