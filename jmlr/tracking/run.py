"""One MLflow run of a training: parameters, step metrics, data sets, artifacts, and where it all came from."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jmlr.tracking.provenance import provenance
from jmlr.tracking.reference import RunReference
from jmlr.tracking.store import connect
from jmlr.tracking.system import watch

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PARENT_VARIABLE = "JMLR_PARENT_RUN_ID"
"""In the environment of a stage: the run of the pipeline that it belongs to."""
PARENT_TAG = "mlflow.parentRunId"

_LONGEST_PARAM_CHARACTERS = 6000
_LONGEST_DIGEST_CHARACTERS = 36
_MOST_METRICS_A_BATCH = 1000  # MLflow takes no more at once
_PAUSE_AFTER_FAILURE_SECONDS = 300.0

CONTINUES_TAG = "continues_run"
"""Of a run that stands for one which is gone, or in another store: that one's id."""


def flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts of nested settings, in their order; lists are JSON.

    >>> list(flatten({"train": {"steps": 2, "arms": ["rag"]}}))
    [('train.steps', '2'), ('train.arms', '["rag"]')]
    """
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        elif isinstance(value, (list, tuple)):
            yield name, json.dumps(value, default=str)[:_LONGEST_PARAM_CHARACTERS]
        else:
            yield name, str(value)[:_LONGEST_PARAM_CHARACTERS]


class TrainingRun:
    """A run that only the first process (RANK 0) writes; every method does nothing in the others.

    As a context manager it is finished at the end of the block, and marked failed if the block raises.
    It satisfies the metric sink of jmlr.training.
    """

    def __init__(self, client: MlflowClient | None, reference: RunReference) -> None:
        self._client = client
        self._quiet_until = 0.0
        self._monitor: SystemMetricsMonitor | None = None
        self.reference = reference

    @classmethod
    def start(cls, experiment: str, params: Mapping[str, Any], *, name: str = "") -> TrainingRun:
        """A new run with `params` flattened and the tags of `provenance`, below the pipeline's run if there is one.

        Args:
            experiment: the experiment's name; made if it is not there.
            params: nested settings, for example `settings.model_dump(by_alias=True)`.
            name: the run's name; empty: `train` below a pipeline's run, else one that MLflow makes up.

        Raises:
            MissingResource: if the tracking store does not answer.
        """
        if not _is_first_process():
            return cls(None, RunReference("", "", experiment))
        from mlflow.entities import Param

        client = connect()
        found = client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else client.create_experiment(experiment)
        parent = os.environ.get(PARENT_VARIABLE)
        tags = {**provenance(), PARENT_TAG: parent} if parent else provenance()
        run = client.create_run(experiment_id, tags=tags, run_name=name or ("train" if parent else None))
        client.log_batch(run.info.run_id, params=[Param(key, value) for key, value in flatten(params)])
        return cls(client, RunReference(run.info.run_id, client.tracking_uri, experiment))

    @classmethod
    def resume(cls, reference: RunReference, params: Mapping[str, Any]) -> TrainingRun:
        """The run `reference` again, running; a new one, with a warning, if it is gone or in another store.

        MLFLOW_TRACKING_URI, where it is set, names the store, whichever one the run began in.

        Raises:
            MissingResource: if the tracking store does not answer.
        """
        if not _is_first_process():
            return cls(None, reference)
        from mlflow.exceptions import MlflowException

        client = connect(os.environ.get("MLFLOW_TRACKING_URI") or reference.tracking_uri)
        try:
            stage = client.get_run(reference.run_id).info.lifecycle_stage
        except MlflowException:
            stage = f"not in {client.tracking_uri}"
        run_id = reference.run_id if stage == "active" else _continued_by(client, reference)
        if run_id is None:
            warnings.warn(f"MLflow run {reference.run_id} is {stage}; a new run is started", stacklevel=2)
            started = cls.start(reference.experiment, params)
            started.set_tags({CONTINUES_TAG: reference.run_id})
            return started
        client.update_run(run_id, status="RUNNING")
        return cls(client, RunReference(run_id, client.tracking_uri, reference.experiment))

    @property
    def run_id(self) -> str:
        """MLflow's id of the run; empty in processes that do not write."""
        return self.reference.run_id

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log step metrics.

        A store that fails costs a warning, never the training, and is left alone for some minutes, because MLflow
        waits long for a server that is down. Nothing is lost: build/train/history.parquet has the same values.
        """
        if self._client is None or time.monotonic() < self._quiet_until:
            return
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        now_milliseconds = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_milliseconds, step) for name, value in values.items()]
        try:
            for start in range(0, len(metrics), _MOST_METRICS_A_BATCH):
                self._client.log_batch(self.run_id, metrics=metrics[start : start + _MOST_METRICS_A_BATCH])
        except MlflowException as error:
            warnings.warn(f"MLflow does not take metrics, training goes on: {error}", stacklevel=2)
            self._quiet_until = time.monotonic() + _PAUSE_AFTER_FAILURE_SECONDS

    def add(self, name: str, value: float) -> None:
        """Adds to a metric; one that is not there yet is 0."""
        if self._client is not None:
            so_far = self._client.get_run(self.run_id).data.metrics.get(name, 0.0)
            self._client.log_metric(self.run_id, name, so_far + value)

    def for_arm(self, arm: str) -> ArmSink:
        """A metric sink that puts `arm/` before every name."""
        return ArmSink(self, arm)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; a tag that is there is replaced."""
        if self._client is None:
            return
        from mlflow.entities import RunTag

        self._client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_dataset(self, path: Path, digest: str, context: str) -> None:
        """Link the data set `path` to the run.

        Args:
            path: the table's file.
            digest: its hash; MLflow shows the first 36 characters.
            context: what it is used for, for example `training`.
        """
        if self._client is None:
            return
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": path.as_posix()})
        dataset = Dataset(
            name=path.stem, digest=digest[:_LONGEST_DIGEST_CHARACTERS], source_type="local", source=source
        )
        self._client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])

    def log_artifacts(self, path: Path, folder: str = "") -> None:
        """Copy a file, or what a folder holds, to the run's artifacts below `folder`."""
        if self._client is None:
            return
        if path.is_dir():
            self._client.log_artifacts(self.run_id, str(path), folder or None)
        else:
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def finish(self) -> None:
        """Mark the run finished."""
        self._end("FINISHED")

    def fail(self) -> None:
        """Mark the run failed."""
        self._end("FAILED")

    def watch(self) -> None:
        """Measures the machine until the run ends."""
        if self._client is not None:
            self._monitor = watch(self.reference)

    def _end(self, status: str) -> None:
        if self._monitor is not None:
            self._monitor.finish()
        if self._client is not None:
            self._client.set_terminated(self.run_id, status)

    def __enter__(self) -> TrainingRun:
        self.watch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.fail()


class ArmSink:
    """The metric sink of one arm of a training run."""

    def __init__(self, run: TrainingRun, arm: str) -> None:
        self._run, self._arm = run, arm

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log step metrics as `arm/name`."""
        self._run.log(step, {f"{self._arm}/{name}": value for name, value in values.items()})


def _continued_by(client: MlflowClient, reference: RunReference) -> str | None:
    """The run that was started in the place of one that is gone, or None."""
    experiment = client.get_experiment_by_name(reference.experiment)
    if experiment is None:
        return None
    found = client.search_runs(
        [experiment.experiment_id], f"tags.{CONTINUES_TAG} = '{reference.run_id}'", max_results=1
    )
    return found[0].info.run_id if found else None


def _is_first_process() -> bool:
    """Whether this is the process that writes: RANK is 0 or not set."""
    return os.environ.get("RANK", "0") == "0"
