"""The runs of an experiment as they belong together: a pipeline's run with those of its stages, or a lone training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmlr.tracking.note import PARENT_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass
class RunFamily:
    """A run and those below it.

    Attributes:
        run: the pipeline's, or a training's that belongs to none.
        children: newest first.
    """

    run: Run
    children: list[Run] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """All of them, the top one first."""
        return [self.run, *self.children]

    def metric(self, name: str) -> float | None:
        """The newest value of a metric in any of them."""
        found = [run.data.metrics[name] for run in self.runs if name in run.data.metrics]
        return found[-1] if found else None


def families(client: MlflowClient, experiment: str, most: int) -> list[RunFamily]:
    """The newest pipelines and lone trainings of an experiment, newest first; none if there is no such experiment."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return []
    runs: list[Run] = []
    token: str | None = None
    while token != "":
        page = client.search_runs([found.experiment_id], order_by=["attributes.start_time DESC"], page_token=token)
        runs += page
        token = page.token or ""
    by_id = {run.info.run_id: RunFamily(run) for run in runs if PARENT_TAG not in run.data.tags}
    for run in runs:
        if parent := by_id.get(run.data.tags.get(PARENT_TAG, "")):
            parent.children.append(run)
    return list(by_id.values())[:most]
