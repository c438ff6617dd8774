"""When the passages are encoded anew, so that pools follow the retriever, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from jmlr.models.retriever import Retriever
from jmlr.settings import TrainSettings
from jmlr.training import processes
from jmlr.training.drift import Drift
from jmlr.training.joint import JointModel
from jmlr.training.pools import Pools
from jmlr.training.step_callback import StepCallback


class RefreshPools(StepCallback):
    """Refreshes every `refresh_every_steps` steps, and when the measured drift passes its bound.

    Does nothing where the retriever stands still.

    Args:
        model: one arm.
        pools: its pools.
        drift: measures the ranking, or None: by steps alone.
        settings: when.
    """

    def __init__(self, model: JointModel, pools: Pools, drift: Drift | None, settings: TrainSettings) -> None:
        self._pools, self._drift, self._settings = pools, drift, settings
        self._retriever: Retriever | None = model.retriever if model.arm == "jmlr" else None
        self._stored: list[list[int]] = []
        self._metrics: dict[str, float] = {}
        self.costs = {"refresh_seconds": 0.0, "refreshes": 0, "refreshed_passages": 0, "drift_checks": 0}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Ranks the sample before the retriever moves."""
        if self._retriever is not None and self._drift is not None and not self._stored:
            self._stored = self._drift.ranking(self._retriever, self._pools.store)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Refreshes if it is time; after the last step it no longer is."""
        if self._retriever is None or state.global_step >= state.max_steps:
            return
        start = time.monotonic()
        if self._is_due(state.global_step, self._retriever):
            self._refresh(self._retriever)
        elif "ranking_overlap" not in self._metrics:
            return
        seconds = time.monotonic() - start
        self.costs["refresh_seconds"] += seconds
        self._metrics["refresh_seconds"] = seconds

    def take_metrics(self) -> dict[str, float]:
        """Seconds of a refresh or check in this step, passages encoded, and the overlap where it was measured."""
        metrics, self._metrics = self._metrics, {}
        return metrics

    def remember(self) -> dict[str, Any]:
        """The costs so far, and the stored ranking, which the retriever has left behind."""
        return {"costs": self.costs, "stored": self._stored}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes what `remember` gave."""
        self.costs, self._stored = dict(memory["costs"]), memory["stored"]

    def _is_due(self, step: int, retriever: Retriever) -> bool:
        if step % self._settings.refresh_every_steps == 0:
            return True
        bound = self._settings.refresh_drift
        if self._drift is None or bound is None or step % bound.check_every_steps:
            return False
        # All processes must decide alike, whatever their rounding: the first one's figure counts.
        overlap = processes.gather(self._drift.overlap(retriever, self._pools.store, self._stored))[0]
        self._metrics["ranking_overlap"] = overlap
        self.costs["drift_checks"] += 1
        return bool(overlap < bound.below)

    def _refresh(self, retriever: Retriever) -> None:
        self._pools.refresh(retriever)
        if self._drift is not None:
            self._stored = self._drift.ranking(retriever, self._pools.store)
        self.costs["refreshes"] += 1
        self.costs["refreshed_passages"] += len(self._pools.texts)
        self._metrics["refreshed_passages"] = float(len(self._pools.texts))
