"""When the passages are encoded anew, so that pools follow the retriever, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jmlr.models.retriever import Retriever
from jmlr.training import processes
from jmlr.training.drift import Drift

if TYPE_CHECKING:
    from jmlr.training.joint import JointModel


class PoolRefresh:
    """Refreshes every `refresh_every_steps` steps, and when the measured drift passes its bound.

    Does nothing where the retriever stands still.

    Args:
        model: one arm.
        seed: of the questions on which drift is measured.
    """

    def __init__(self, model: JointModel, seed: int) -> None:
        self._settings, self._pools = model.settings, model.corpus.pools
        self._retriever: Retriever | None = model.retriever if model.arm == "jmlr" else None
        self._drift: Drift | None = None
        if self._settings.refresh_drift is not None and self._retriever is not None:
            self._drift = Drift(model.corpus.questions, self._pools.texts, self._settings.refresh_drift, seed)
        self._stored: list[list[int]] = []
        self.costs = {"refresh_seconds": 0.0, "refreshes": 0, "refreshed_passages": 0, "drift_checks": 0}

    def begin(self) -> None:
        """Ranks the sample before the retriever moves."""
        if self._retriever is not None and self._drift is not None and not self._stored:
            self._stored = self._drift.ranking(self._retriever, self._pools.store)

    def after(self, step: int) -> dict[str, float]:
        """Refreshes after `step` if it is time; after the last step it no longer is.

        Returns:
            seconds of the refresh or check, passages encoded, and the overlap where it was measured.
        """
        if self._retriever is None or step >= self._settings.steps:
            return {}
        start, metrics = time.monotonic(), self._overlap(step, self._retriever)
        bound = self._settings.refresh_drift
        is_time = step % self._settings.refresh_every_steps == 0
        if is_time or (bound is not None and metrics.get("ranking_overlap", 1.0) < bound.below):
            self._refresh(self._retriever)
            metrics["refreshed_passages"] = float(len(self._pools.texts))
        if metrics:
            metrics["refresh_seconds"] = time.monotonic() - start
            self.costs["refresh_seconds"] += metrics["refresh_seconds"]
        return metrics

    def remember(self) -> dict[str, Any]:
        """The costs so far, and the stored ranking, which the retriever has left behind."""
        return {"costs": self.costs, "stored": self._stored}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes what `remember` gave."""
        self.costs, self._stored = dict(memory["costs"]), memory["stored"]

    def _overlap(self, step: int, retriever: Retriever) -> dict[str, float]:
        """The overlap of live and stored ranking, where it is time to measure it and not time to refresh anyway."""
        bound = self._settings.refresh_drift
        if self._drift is None or bound is None or step % self._settings.refresh_every_steps == 0:
            return {}
        if step % bound.check_every_steps:
            return {}
        self.costs["drift_checks"] += 1
        # All processes must decide alike, whatever their rounding: the first one's figure counts.
        overlap = processes.gather(self._drift.overlap(retriever, self._pools.store, self._stored))[0]
        return {"ranking_overlap": overlap}

    def _refresh(self, retriever: Retriever) -> None:
        self._pools.refresh(retriever)
        if self._drift is not None:
            self._stored = self._drift.ranking(retriever, self._pools.store)
        self.costs["refreshes"] += 1
        self.costs["refreshed_passages"] += len(self._pools.texts)
