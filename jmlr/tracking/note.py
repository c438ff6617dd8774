"""One thing to tell MLflow of a run, in a form that can wait on disk; told twice, it leaves the same as told once."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jmlr.tracking.store import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

START, METRICS, TAGS, DATASET, FILE, STATUS = "start", "metrics", "tags", "dataset", "file", "status"
LOCAL = "here-"
"""So begins the id that a run has here until MLflow gives it one."""
PARENT_TAG = "mlflow.parentRunId"

_KEPT_TAG = "jmlr.kept_as"  # the id that the run had here
_MOST_METRICS_A_BATCH = 1000  # MLflow takes no more at once
_REFUSALS = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST")


@dataclass(frozen=True)
class Note:
    """What is told.

    Attributes:
        run_id: MLflow's id of the run, or the one that it has here.
        experiment: name of the run's experiment.
        kind: one of those above.
        told: what, as JSON can write it.
        at_milliseconds: when it happened, since 1970.
        content: of a file.
    """

    run_id: str
    experiment: str
    kind: str
    told: Mapping[str, Any]
    at_milliseconds: int
    content: bytes = b""

    def tell(self, client: MlflowClient) -> str:
        """Tells MLflow; returns its id of the run.

        Raises:
            Exception: what the store raises; see `is_refused`.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag

        run_id, told = find_run(client, self.run_id, self.experiment), self.told
        if self.kind == START:
            return self._start(client, run_id)
        if run_id is None:
            raise LookupError(f"it was never told of the run {self.run_id}")
        if self.kind == METRICS:
            metrics = [Metric(*one) for one in told["metrics"]]
            for start in range(0, len(metrics), _MOST_METRICS_A_BATCH):
                client.log_batch(run_id, metrics=metrics[start : start + _MOST_METRICS_A_BATCH])
        elif self.kind == TAGS:
            client.log_batch(run_id, tags=[RunTag(key, value) for key, value in told.items()])
        elif self.kind == DATASET:
            dataset = Dataset(told["name"], told["digest"], source_type="local", source=told["source"])
            client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", told["context"])])])
        elif self.kind == FILE:
            with tempfile.TemporaryDirectory() as place:
                (file := Path(place) / told["name"]).write_bytes(self.content)
                client.log_artifact(run_id, str(file), told["folder"] or None)
        elif told["status"] == "RUNNING":
            client.update_run(run_id, status="RUNNING")
        else:
            client.set_terminated(run_id, told["status"], self.at_milliseconds)
        return run_id

    def _start(self, client: MlflowClient, run_id: str | None) -> str:
        from mlflow.entities import Param

        if run_id is None:
            tags = {**self.told["tags"], _KEPT_TAG: self.run_id}
            if parent := tags.get(PARENT_TAG):
                tags[PARENT_TAG] = find_run(client, parent, self.experiment) or parent
            experiment_id = open_experiment(client, self.experiment)
            run_id = client.create_run(experiment_id, self.at_milliseconds, tags, self.told["name"] or None).info.run_id
        client.log_batch(run_id, params=[Param(key, value) for key, value in self.told["params"].items()])
        return run_id


def find_run(client: MlflowClient, run_id: str, experiment: str) -> str | None:
    """MLflow's id of a run that may have begun while the store was away; None if it knows no such run."""
    if not run_id.startswith(LOCAL):
        return run_id
    query = f"tags.`{_KEPT_TAG}` = '{run_id}'"
    found = client.search_runs([open_experiment(client, experiment)], query, max_results=1)
    return found[0].info.run_id if found else None


def open_experiment(client: MlflowClient, name: str) -> str:
    """The experiment's id; it is made if it is not there, and restored if it was deleted."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # A temporary copy of the project goes away with what lies in it.
        place = None if (root := project_root()) == Path() else (root / "mlruns" / quote(name, safe="")).as_uri()
        try:
            return client.create_experiment(name, place)
        except MlflowException:
            if (found := client.get_experiment_by_name(name)) is None:  # else another process was quicker
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        warnings.warn(f"MLflow experiment {name} was deleted and is restored: new runs belong to it", stacklevel=2)
    return found.experiment_id


def is_refused(error: Exception) -> bool:
    """Whether MLflow answered, and will not take it another time either."""
    return type(error) is LookupError or getattr(error, "error_code", "") in _REFUSALS
