"""The MLflow run of a pipeline, and below it one of every stage that ran for it.

DVC runs each stage in a process of its own, and skips those that have not changed. What binds them is a file outside
DVC that names the pipeline's run: it is open from the first stage under some settings and data to `jmlr register`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.files import read_json, write_json
from jmlr.tracking.line import Line, never_failing
from jmlr.tracking.note import PARENT_TAG
from jmlr.tracking.provenance import provenance
from jmlr.tracking.run import PARENT_VARIABLE, RunReference, TrainingRun
from jmlr.tracking.store import project_root, tracking_uri
from jmlr.training import processes

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
        """Runs the stage within a run of its own."""
        parent = self._open()
        child = None if stage.has_own_run else _start(parent, self.experiment, stage)
        with _as_parent(parent), self._counted(parent, stage.name):
            try:
                yield
            except BaseException:
                for run in (child, parent):
                    if run is not None:
                        run.fail()
                raise
            if child is not None:
                for path in stage.outputs:
                    child.log_artifacts(path)
                child.finish()
        if project_root() != Path():  # an experiment in a temporary folder, where no `register` ends it
            parent.finish()

    def close(self) -> None:
        """Ends the pipeline's run; the next stage opens another."""
        if self.file.exists():
            self._open().finish()
            self.file.unlink()

    def _open(self) -> TrainingRun:
        """The pipeline's run: the one of the file, if settings, data and store are still the same; else a new one."""
        here = provenance()
        digest = fingerprint.of_json([here["params_hash"], here["data_dvc_hash"], tracking_uri()])
        known = self._known()
        if "reference" in known:
            reference = RunReference(**known["reference"])
            if known["digest"] == digest:
                return TrainingRun.resume(reference, self.params)
        name = f"pipeline {self.params.get('recipe', '')}".strip()
        parent = TrainingRun.start(self.experiment, self.params, name=name)
        parent.set_tags({KIND_TAG: PIPELINE})
        if "reference" in known:  # after the new one, which restores a deleted experiment
            TrainingRun(None, reference, Line(reference.tracking_uri)).fail()
        with never_failing(str(self.file)):
            write_json(self.file, {"digest": digest, "reference": asdict(parent.reference)})
        return parent

    def _known(self) -> dict[str, Any]:
        with never_failing(str(self.file)):
            return read_json(self.file, f"rm {self.file}")
        return {}

    @contextmanager
    def _counted(self, parent: TrainingRun, stage: str) -> Iterator[None]:
        """Adds what is done within to the device hours of the stage, whether it succeeds or not."""
        start = time.monotonic()
        try:
            yield
        finally:
            known = self._known()
            hours = known.setdefault("hours", {})
            tried = (time.monotonic() - start) * processes.world_size() / _SECONDS_PER_HOUR
            hours[stage] = hours.get(stage, 0.0) + tried
            parent.log(0, {f"{HOURS}{stage}": hours[stage]})
            with never_failing(str(self.file)):
                write_json(self.file, known)


def _start(parent: TrainingRun, experiment: str, stage: Stage) -> TrainingRun:
    """The stage's run, measured from now on; runs of stages that were killed are marked as that."""
    parent.ask(lambda client: _mark_killed(client, parent.run_id))
    with _as_parent(parent):
        child = TrainingRun.start(experiment, stage.params, name=stage.name)
    child.set_tags({KIND_TAG: STAGE})
    for path in stage.inputs:
        with never_failing(str(path)):
            if path.exists():
                child.log_dataset(path, fingerprint.of_file(path), stage.name)
    child.watch()
    return child


def _mark_killed(client: MlflowClient, parent: str) -> None:
    """One stage runs at a time in a checkout: another run of this pipeline's stages that still runs is dead."""
    experiment_id = client.get_run(parent).info.experiment_id
    query = f"tags.`{PARENT_TAG}` = '{parent}' and tags.`{KIND_TAG}` = '{STAGE}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment_id], query):
        client.set_terminated(run.info.run_id, "KILLED")


@contextmanager
def _as_parent(parent: TrainingRun) -> Iterator[None]:
    """Runs that start within go below `parent`."""
    os.environ[PARENT_VARIABLE] = parent.run_id
    try:
        yield
    finally:
        os.environ.pop(PARENT_VARIABLE, None)
