"""The MLflow run of a pipeline, and below it one of every stage that ran for it.

DVC runs each stage in a process of its own, and skips those that have not changed. What binds them is a file outside
DVC that names the pipeline's run: it is open from the first stage under some settings and data to `jmlr register`.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jmlr import fingerprint
from jmlr.errors import JmlrError
from jmlr.files import write_json
from jmlr.tracking.gpu_hours import count_processes
from jmlr.tracking.provenance import provenance
from jmlr.tracking.reference import RunReference
from jmlr.tracking.run import PARENT_TAG, PARENT_VARIABLE, TrainingRun
from jmlr.tracking.store import connect, tracking_uri

KIND_TAG = "jmlr.kind"
PIPELINE, STAGE = "pipeline", "stage"
HOURS = "device_hours/"
"""Metrics of the pipeline's run: device hours of each stage, its failed tries included."""
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Stage:
    """What is told of a stage.

    Attributes:
        name: the stage's.
        params: its settings.
        inputs: tables that it reads; those that are there are linked with their digests.
        outputs: files and folders that are kept as artifacts.
        has_own_run: it makes its run itself (train).
    """

    name: str
    params: Mapping[str, Any]
    inputs: Sequence[Path] = ()
    outputs: Sequence[Path] = ()
    has_own_run: bool = False


@dataclass(frozen=True)
class Pipeline:
    """Which pipeline run is open.

    Args:
        file: remembers it from stage to stage.
        experiment: where its run goes.
        params: all settings.
    """

    file: Path
    experiment: str
    params: Mapping[str, Any]

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Runs the stage within a run of its own; a store that fails costs a warning and the run, not the stage."""
        parent = self._open()
        if parent is None:
            yield
            return
        child = None if stage.has_own_run else _start(parent, self.experiment, stage)
        with _as_parent(parent), _counted(parent, stage.name):
            try:
                yield
            except BaseException:
                for run in (child, parent):
                    if run is not None:
                        _quietly(run.fail)
                raise
            if child is not None:
                for path in stage.outputs:
                    if path.exists():
                        _quietly(partial(child.log_artifacts, path))
                _quietly(child.finish)

    def close(self) -> None:
        """Ends the pipeline's run; the next stage opens another."""
        if self.file.exists():
            parent = self._open()
            if parent is not None:
                _quietly(parent.finish)
            self.file.unlink()

    def _open(self) -> TrainingRun | None:
        """The pipeline's run: the one of the file, if settings, data and store are still the same; else a new one."""
        here = provenance()
        digest = fingerprint.of_json([here["params_hash"], here["data_dvc_hash"], tracking_uri()])
        known = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        if known:
            reference = RunReference(**known["reference"])
            if known["digest"] == digest:
                return _quietly(lambda: TrainingRun.resume(reference, self.params))
            _quietly(lambda: TrainingRun(connect(reference.tracking_uri), reference).fail())
        name = f"pipeline {self.params.get('recipe', '')}".strip()
        parent = _quietly(lambda: TrainingRun.start(self.experiment, self.params, name=name))
        if parent is not None:
            _quietly(lambda: parent.set_tags({KIND_TAG: PIPELINE}))
            write_json(self.file, {"digest": digest, "reference": asdict(parent.reference)})
        return parent


def _start(parent: TrainingRun, experiment: str, stage: Stage) -> TrainingRun | None:
    """The stage's run, measured from now on; runs of stages that were killed are marked as that."""

    def start() -> TrainingRun:
        _mark_killed(parent)
        with _as_parent(parent):
            child = TrainingRun.start(experiment, stage.params, name=stage.name)
        child.set_tags({KIND_TAG: STAGE})
        for path in stage.inputs:
            if path.exists():
                child.log_dataset(path, fingerprint.of_file(path), stage.name)
        child.watch()
        return child

    return _quietly(start)


def _mark_killed(parent: TrainingRun) -> None:
    """One stage runs at a time in a checkout: another run of this pipeline's stages that still runs is dead."""
    client = connect(parent.reference.tracking_uri)
    experiment_id = client.get_run(parent.run_id).info.experiment_id
    query = (
        f"tags.`{PARENT_TAG}` = '{parent.run_id}' and tags.`{KIND_TAG}` = '{STAGE}' and attributes.status = 'RUNNING'"
    )
    for run in client.search_runs([experiment_id], query):
        client.set_terminated(run.info.run_id, "KILLED")


@contextmanager
def _counted(parent: TrainingRun, stage: str) -> Iterator[None]:
    """Adds what is done within to the device hours of the stage, whether it succeeds or not."""
    start = time.monotonic()
    try:
        yield
    finally:
        hours = (time.monotonic() - start) * count_processes() / _SECONDS_PER_HOUR
        _quietly(lambda: parent.add(f"{HOURS}{stage}", hours))


@contextmanager
def _as_parent(parent: TrainingRun) -> Iterator[None]:
    """Runs that start within go below `parent`."""
    os.environ[PARENT_VARIABLE] = parent.run_id
    try:
        yield
    finally:
        os.environ.pop(PARENT_VARIABLE, None)


def _quietly(attempt: Any) -> Any:
    """What `attempt` gives, or None with a warning if the store does not do it."""
    from mlflow.exceptions import MlflowException

    try:
        return attempt()
    except (MlflowException, JmlrError, OSError) as error:
        warnings.warn(f"MLflow does not take this stage's run, the stage goes on: {error}", stacklevel=3)
        return None
