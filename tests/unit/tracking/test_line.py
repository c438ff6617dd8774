"""What happens to a run while its store is away: on a disk that is not mounted, or behind a server that hangs."""

from __future__ import annotations

import fcntl
import shutil
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from jmlr.errors import MissingResource
from jmlr.tracking import line
from jmlr.tracking.line import Line
from jmlr.tracking.note import Note
from jmlr.tracking.pipeline import HOURS, Pipeline, Stage
from jmlr.tracking.run import RunReference, TrainingRun
from jmlr.tracking.runs import families
from jmlr.tracking.store import answering, connect


class Disk:
    """A disk with a store of its own that can be taken away and brought back."""

    def __init__(self, place: Path, empty_store: Path) -> None:
        self.place, self.aside, self.uri = place, place.with_name("aside"), f"sqlite:///{place}/mlflow.db"
        self.aside.mkdir()
        shutil.copyfile(empty_store, self.aside / "mlflow.db")
        self.place.write_text("not mounted")

    def mount(self) -> MlflowClient:
        self.place.unlink()
        self.aside.rename(self.place)
        line.quiet_until.clear()
        return MlflowClient(tracking_uri=self.uri)


@pytest.fixture
def disk(tracked: MlflowClient, mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """An empty store, where all is tracked to, on a disk that is away."""
    made = Disk(tmp_path / "disk", Path(mlflow_store.removeprefix("sqlite:///")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    return made


class Refusing:
    """A client of a store that fails with `error` at every call, and counts them."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def __getattr__(self, name: str) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            self.calls += 1
            raise self.error

        return fail


def away() -> tuple[TrainingRun, Refusing]:
    client = Refusing(MlflowException("API request failed: connection refused"))
    return TrainingRun(client, RunReference("r1", "http://away.example", "exam")), client  # type: ignore[arg-type]


def run_stages(name: str, folder: Path) -> None:
    """A pipeline of two stages, one of which makes its run itself and fails."""
    (folder / "params.yaml").write_text("seed: 1\n")
    (folder / "made").mkdir()
    (folder / "made" / "counts.json").write_text("{}")
    pipeline = Pipeline(folder / "pipeline_run.json", name, {"recipe": "starter"})
    with pipeline.stage(Stage("ingest", {"seed": 1}, (folder / "params.yaml",), (folder / "made",))):
        pass
    with pytest.raises(ValueError, match="the true cause"):
        train_in_vain(pipeline, folder)


def train_in_vain(pipeline: Pipeline, folder: Path) -> None:
    train = Stage("train", {}, has_own_run=True)
    with pipeline.stage(train), TrainingRun.start(pipeline.experiment, {"steps": 3}) as run:
        run.reference.write(folder / "run.json")
        for step in range(3):
            run.log(step, {"loss": 1.0 / (step + 1)})
        run.set_tags({"a": "b"})
        raise ValueError("the true cause")


def shape(client: MlflowClient, name: str) -> list[object]:
    """Of every run what does not change from try to try."""
    [family] = families(client, name, 10)
    found: list[object] = []
    for run in family.runs:
        metrics = {
            key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
            if not key.startswith(HOURS)
        }
        hours = sorted(key for key in run.data.metrics if key.startswith(HOURS))
        data = [one.dataset.name for one in run.inputs.dataset_inputs]
        files = [item.path for item in client.list_artifacts(run.info.run_id)]
        tags = {key: run.data.tags[key] for key in ("a", "jmlr.kind") if key in run.data.tags}
        found.append((run.info.run_name, run.info.status, run.data.params, metrics, hours, data, files, tags))
    return found


def test_what_a_store_missed_is_told_later_as_if_it_had_been_there(
    tracked: MlflowClient, disk: Disk, mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    with monkeypatch.context() as there:
        there.setenv("MLFLOW_TRACKING_URI", mlflow_store)
        there.chdir(tmp_path / "there")
        run_stages("told at once", tmp_path / "there")
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path / "later")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run_stages("told later", tmp_path / "later")
    assert [str(one.message)[:37] for one in warned] == ["MLflow is away, the stage goes on; wh"]
    with pytest.raises(MissingResource, match="does not answer"):
        Line(disk.uri).connect()
    client = disk.mount()
    began = Path("run.json").stat().st_mtime * 1000
    Line(disk.uri).connect()
    assert shape(client, "told later") == shape(tracked, "told at once")
    assert Line(disk.uri).waiting() == 0
    [family] = families(client, "told later", 1)
    [train] = [run for run in family.children if run.info.run_name == "train"]
    assert abs(train.info.start_time - began) < 60_000
    assert train.info.start_time <= train.info.end_time <= began + 60_000
    again = TrainingRun.resume(RunReference.read(Path("run.json")), {})
    assert again.run_id == train.info.run_id


def test_a_kill_at_any_moment_of_the_telling_leaves_each_thing_told_once(
    tracked: MlflowClient, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match="away"):
        run_stages("killed", tmp_path)
    waited = Line(disk.uri).waiting()
    client = disk.mount()
    real, told = Note.tell, []

    def every_second_time_killed(note: Note, to: MlflowClient) -> str:
        run_id = real(note, to)
        told.append(note)
        if len(told) % 2:
            raise SystemExit
        return run_id

    monkeypatch.setattr(Note, "tell", every_second_time_killed)
    while Line(disk.uri).waiting():
        with suppress(SystemExit):
            Line(disk.uri).connect()
    assert len(told) > waited
    names = [(run[0], run[3]) for run in shape(client, "killed")]  # type: ignore[index]
    assert ("train", {"loss": [(0, 1.0), (1, 0.5), (2, 1 / 3)]}) in names
    assert len(names) == 3


@pytest.mark.parametrize("error", [ValueError("the true cause"), KeyboardInterrupt()])
def test_the_first_error_is_the_one_that_is_reported(tracked: MlflowClient, error: BaseException) -> None:
    run, _ = away()
    with pytest.warns(UserWarning, match="away"), pytest.raises(type(error)) as caught, run:
        raise error
    assert caught.value is error
    assert error.__context__ is None


def test_a_store_that_failed_is_left_alone_for_a_while(
    tracked: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, client = away()
    with pytest.warns(UserWarning, match="away") as warned:
        for step in range(5):
            run.log(step, {"loss": 1.0})
        run.log_artifacts(Path(__file__))
        run.finish()
    assert (len(warned), client.calls) == (1, 1)
    assert Line("http://away.example").waiting() == 7


def test_a_store_that_hangs_holds_nobody_for_long(tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    run, client = away()
    hanging = threading.Event()
    monkeypatch.setattr(line, "_SECONDS", 0.05)
    monkeypatch.setattr(client, "log_batch", lambda *_, **__: hanging.wait(60), raising=False)
    with pytest.warns(UserWarning, match="away.*no answer in 0 seconds"):
        run.log(1, {"loss": 1.0})
    hanging.set()
    assert Line("http://away.example").waiting() == 1


def test_what_mlflow_refuses_keeps_nothing_else_back(disk: Disk, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="away"):
        run = TrainingRun.start("refused", {"seed": 1})
        run.log(1, {"not a name?!": 1.0})
        run.set_tags({"after": "it"})
    client = disk.mount()
    with pytest.warns(UserWarning, match="refuses metrics of run here-"):
        Line(disk.uri).connect()
    [family] = families(client, "refused", 1)
    assert family.run.data.tags["after"] == "it"
    with pytest.warns(UserWarning, match="MLflow refuses it"):
        TrainingRun.resume(run.reference, {}).log(1, {"not a name?!": 1.0})
    assert Line(disk.uri).waiting() == 0


def test_nothing_overtakes_what_another_process_is_telling(disk: Disk) -> None:
    with pytest.warns(UserWarning, match="away"):
        run = TrainingRun.start("two", {})
    client = disk.mount()
    file = Line(disk.uri).file
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.warns(UserWarning, match="1 notes for MLflow still wait"):
            run.finish()
    assert Line(disk.uri).waiting() == 2
    Line(disk.uri).connect()
    assert families(client, "two", 1)[0].run.info.status == "FINISHED"


def test_registering_and_promoting_say_that_they_need_the_store(disk: Disk) -> None:
    with pytest.raises(MissingResource, match=r"does not answer(?s:.*)next: start the server"):
        connect()
    with (
        pytest.raises(MissingResource, match=r"MLflow failed: gone; (?s:.*)next: see that the store runs"),
        answering(),
    ):
        raise MlflowException("gone")


def test_a_deleted_experiment_is_restored_with_its_runs(tracked: MlflowClient, tmp_path: Path) -> None:
    first = TrainingRun.start(tmp_path.name, {})
    tracked.delete_experiment(tracked.get_run(first.run_id).info.experiment_id)
    with pytest.warns(UserWarning, match="was deleted and is restored"):
        again = TrainingRun.resume(first.reference, {})
    assert again.run_id == first.run_id


def test_an_experiment_in_a_temporary_folder_is_tracked_in_the_project(
    tracked: MlflowClient, mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(mlflow_store.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with Pipeline(Path("pipeline_run.json"), "temporary", {}).stage(Stage("ingest", {}, (), (Path(__file__),))):
        pass
    shutil.rmtree(copy)
    monkeypatch.chdir(tmp_path)
    [family] = families(connect(), "temporary", 1)
    assert [run.info.status for run in family.runs] == ["FINISHED", "FINISHED"]
    [item] = connect().list_artifacts(family.children[0].info.run_id)
    assert item.path == Path(__file__).name
    assert (tmp_path / "mlruns" / "temporary").is_dir()
