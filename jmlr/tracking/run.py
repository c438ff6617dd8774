"""One MLflow run of a training: parameters, step metrics, data sets, artifacts, and where it all came from."""

from __future__ import annotations

import json
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from jmlr.errors import DataError
from jmlr.files import write_json
from jmlr.tracking import note as notes
from jmlr.tracking.line import Line, never_failing
from jmlr.tracking.note import LOCAL, PARENT_TAG, Note, find_run, is_refused, open_experiment
from jmlr.tracking.provenance import provenance
from jmlr.tracking.store import tracking_uri
from jmlr.tracking.system import Watch
from jmlr.training import processes

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

PARENT_VARIABLE = "JMLR_PARENT_RUN_ID"
"""In the environment of a stage: the run of the pipeline that it belongs to."""

_LONGEST_PARAM_CHARACTERS = 6000
_LONGEST_DIGEST_CHARACTERS = 36

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


@dataclass(frozen=True)
class RunReference:
    """Where a run is found again; build/train/run.json holds it."""

    run_id: str
    tracking_uri: str
    experiment: str

    def write(self, path: Path) -> None:
        """Write the reference as JSON to `path`."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> RunReference:
        """The reference in the file `path`.

        Raises:
            DataError: if the file is missing or is not a reference.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"no run reference: {error}",
                expected="run_id, tracking_uri, experiment",
                where=str(path),
                next_step="dvc repro train",
            ) from error


class TrainingRun:
    """A run that only the first process (RANK 0) writes; every method does nothing in the others.

    None of them raises for MLflow: what a store that is away was not told is kept and told later (jmlr.tracking.line).
    As a context manager it is finished at the end of the block, and marked failed if the block raises.
    It satisfies the metric sink of jmlr.training.
    """

    def __init__(self, client: MlflowClient | None, reference: RunReference, line: Line | None = None) -> None:
        self._line = line or (Line(reference.tracking_uri, client) if client is not None else None)
        self._watch: Watch | None = None
        self.reference = reference

    @classmethod
    def start(cls, experiment: str, params: Mapping[str, Any], *, name: str = "") -> TrainingRun:
        """A new run with `params` flattened and the tags of `provenance`, below the pipeline's run if there is one.

        Args:
            experiment: the experiment's name; made if it is not there, restored if it was deleted.
            params: nested settings, for example `settings.model_dump(by_alias=True)`.
            name: the run's name; empty: `train` below a pipeline's run, else one that MLflow makes up.
        """
        if not processes.is_first():
            return cls(None, RunReference("", "", experiment))
        uri, parent = tracking_uri(), os.environ.get(PARENT_VARIABLE)
        run = cls(None, RunReference(f"{LOCAL}{uuid.uuid4().hex}", uri, experiment), Line(uri))
        tags = {**provenance(), PARENT_TAG: parent} if parent else provenance()
        run._tell(
            notes.START, {"params": dict(flatten(params)), "tags": tags, "name": name or ("train" if parent else "")}
        )
        return run

    @classmethod
    def resume(cls, reference: RunReference, params: Mapping[str, Any]) -> TrainingRun:
        """The run `reference` again, running; a new one, with a warning, if it is gone or in another store.

        MLFLOW_TRACKING_URI, where it is set, names the store, whichever one the run began in.
        """
        if not processes.is_first():
            return cls(None, reference)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or reference.tracking_uri
        line = Line(uri)
        run_there = None if uri != reference.tracking_uri else reference.run_id
        run_id, state = line.ask(partial(_find, reference=reference)) or (run_there, "in another store")
        if run_id is None:
            warnings.warn(f"MLflow run {reference.run_id} is {state}; a new run is started", stacklevel=2)
            started = cls.start(reference.experiment, params)
            started.set_tags({CONTINUES_TAG: reference.run_id})
            return started
        run = cls(None, RunReference(run_id, uri, reference.experiment), line)
        run._tell(notes.STATUS, {"status": "RUNNING"})
        return run

    @property
    def run_id(self) -> str:
        """MLflow's id of the run, or the one it has here meanwhile; empty in processes that do not write."""
        return self.reference.run_id

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log step metrics."""
        now = _now_milliseconds()
        self._tell(notes.METRICS, {"metrics": [[name, float(value), now, step] for name, value in values.items()]})

    def for_arm(self, arm: str) -> ArmSink:
        """A metric sink that puts `arm/` before every name."""
        return ArmSink(self, arm)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; a tag that is there is replaced."""
        self._tell(notes.TAGS, dict(tags))

    def log_dataset(self, path: Path, digest: str, context: str) -> None:
        """Link the data set `path` to the run.

        Args:
            path: the table's file.
            digest: its hash; MLflow shows the first 36 characters.
            context: what it is used for, for example `training`.
        """
        source = json.dumps({"uri": path.as_posix()})
        digest = digest[:_LONGEST_DIGEST_CHARACTERS]
        self._tell(notes.DATASET, {"name": path.stem, "digest": digest, "source": source, "context": context})

    def log_artifacts(self, path: Path, folder: str = "") -> None:
        """Copy a file, or what a folder holds, to the run's artifacts below `folder`."""
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and self._line is not None:
                below = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
                place = "/".join(part for part in (folder, below) if part not in ("", "."))
                with never_failing(str(file)):
                    self._tell(notes.FILE, {"name": file.name, "folder": place}, file.read_bytes())

    def finish(self) -> None:
        """Mark the run finished."""
        self._end("FINISHED")

    def fail(self) -> None:
        """Mark the run failed."""
        self._end("FAILED")

    def watch(self) -> None:
        """Measures the machine until the run ends."""
        if self._line is not None:
            self._watch = Watch(self.log)

    def ask(self, question: Callable[[MlflowClient], T]) -> T | None:
        """What the run's store answers; None where it is away, and in processes that do not write."""
        return self._line.ask(question) if self._line is not None else None

    def _end(self, status: str) -> None:
        if self._watch is not None:
            self._watch.finish()
        self._tell(notes.STATUS, {"status": status})

    def _tell(self, kind: str, told: dict[str, Any], content: bytes = b"") -> None:
        if self._line is not None:
            note = Note(self.run_id, self.reference.experiment, kind, told, _now_milliseconds(), content)
            self.reference = replace(self.reference, run_id=self._line.tell(note))

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


def _find(client: MlflowClient, reference: RunReference) -> tuple[str | None, str]:
    """MLflow's id of the run, or of the one that was started in its place, if there is one; and its state."""
    from mlflow.exceptions import MlflowException

    experiment_id = open_experiment(client, reference.experiment)
    run_id, state = find_run(client, reference.run_id, reference.experiment), f"not in {client.tracking_uri}"
    try:
        state = client.get_run(run_id).info.lifecycle_stage if run_id else state
    except MlflowException as error:
        if not is_refused(error):
            raise
    if state != "active":
        query = f"tags.{CONTINUES_TAG} = '{reference.run_id}'"
        found = client.search_runs([experiment_id], query, max_results=1)
        run_id = found[0].info.run_id if found else None
    return run_id, state


def _now_milliseconds() -> int:
    return int(time.time() * 1000)
