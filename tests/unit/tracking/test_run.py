from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from jmlr.errors import DataError, MissingResource
from jmlr.tracking.run import RunReference, TrainingRun, flatten
from jmlr.tracking.store import connect


def test_params_metrics_tags_and_state_arrive(tracked: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "data.dvc").write_text("outs: []\n")
    with TrainingRun.start("exam", {"seed": 1, "train": {"steps": 2}}) as run:
        run.log(1, {"reader_loss": 2.0})
        run.for_arm("rag").log(2, {"reader_loss": 1.5})
        run.set_tags({"recipe": "starter"})
    stored = tracked.get_run(run.run_id)
    assert stored.data.params == {"seed": "1", "train.steps": "2"}
    assert stored.data.metrics == {"reader_loss": 2.0, "rag/reader_loss": 1.5}
    assert tracked.get_metric_history(run.run_id, "rag/reader_loss")[0].step == 2
    assert stored.data.tags["recipe"] == "starter"
    assert len(stored.data.tags["data_dvc_hash"]) == 64
    assert stored.data.tags["dvc_lock_hash"] == "unknown"
    assert stored.info.status == "FINISHED"
    assert tracked.get_experiment(stored.info.experiment_id).name == "exam"


def test_dataset_and_artifacts_arrive(tracked: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "curve.json").write_text("[]")
    (tmp_path / "ledger.json").write_text("{}")
    run = TrainingRun.start("exam", {})
    run.log_dataset(Path("build/ingest/questions.parquet"), "f" * 64, "training")
    run.log_artifacts(tmp_path / "plots", "plots")
    run.log_artifacts(tmp_path / "ledger.json")
    run.finish()
    [linked] = tracked.get_run(run.run_id).inputs.dataset_inputs
    assert (linked.dataset.name, linked.dataset.digest) == ("questions", "f" * 36)
    assert linked.tags[0].value == "training"
    assert {item.path for item in tracked.list_artifacts(run.run_id)} == {"plots", "ledger.json"}
    assert [item.path for item in tracked.list_artifacts(run.run_id, "plots")] == ["plots/curve.json"]


def test_an_error_marks_the_run_failed(tracked: MlflowClient) -> None:
    with pytest.raises(RuntimeError, match="out of memory"), TrainingRun.start("exam", {}) as run:
        raise RuntimeError("out of memory")
    assert tracked.get_run(run.run_id).info.status == "FAILED"


def test_more_metrics_than_mlflow_takes_at_once_all_arrive(tracked: MlflowClient) -> None:
    with TrainingRun.start("exam", {"seed": 1}) as run:
        run.log(1, {f"metric_{number}": float(number) for number in range(1003)})
    assert len(tracked.get_run(run.run_id).data.metrics) == 1003


def test_resuming_continues_the_same_run(tracked: MlflowClient, tmp_path: Path) -> None:
    first = TrainingRun.start("exam", {"seed": 1})
    first.fail()
    first.reference.write(tmp_path / "run.json")
    again = TrainingRun.resume(RunReference.read(tmp_path / "run.json"), {"seed": 1})
    again.log(5, {"accuracy": 0.5})
    assert again.run_id == first.run_id
    assert tracked.get_run(first.run_id).info.status == "RUNNING"
    assert tracked.get_run(first.run_id).data.metrics == {"accuracy": 0.5}


def test_resuming_a_run_that_is_gone_starts_another_with_a_warning(tracked: MlflowClient, mlflow_store: str) -> None:
    with pytest.warns(UserWarning, match="nosuchrun is not in sqlite.*; a new run is started"):
        run = TrainingRun.resume(RunReference("nosuchrun", mlflow_store, "exam"), {"seed": 3})
    assert tracked.get_run(run.run_id).data.params == {"seed": "3"}


def test_a_run_of_another_store_goes_on_in_the_store_that_the_variable_names(
    tracked: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = TrainingRun.start("exam", {"seed": 1})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    with pytest.warns(UserWarning, match="is not in sqlite.*other.db; a new run is started"):
        there = TrainingRun.resume(first.reference, {"seed": 1})
    assert there.run_id != first.run_id
    assert there.reference.tracking_uri.endswith("other.db")
    assert TrainingRun.resume(first.reference, {"seed": 1}).run_id == there.run_id


def test_resuming_a_deleted_run_starts_another_with_a_warning(tracked: MlflowClient) -> None:
    first = TrainingRun.start("exam", {})
    tracked.delete_run(first.run_id)
    with pytest.warns(UserWarning, match="is deleted; a new run is started"):
        assert TrainingRun.resume(first.reference, {}).run_id != first.run_id


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")
    with TrainingRun.start("exam", {"seed": 1}) as run:
        run.log(1, {"loss": 1.0})
        run.set_tags({"a": "b"})
        run.log_dataset(Path("q.parquet"), "0", "training")
        run.log_artifacts(tmp_path)
    assert run.run_id == ""
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{blocked}/mlflow.db")
    with pytest.raises(MissingResource, match="MLflow does not answer"):
        connect()


def test_a_broken_reference_names_file_and_next_step(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "1"}))
    with pytest.raises(DataError, match=r"(?s)run\.json: no run reference.*dvc repro train"):
        RunReference.read(tmp_path / "run.json")


def test_long_params_are_cut_to_what_mlflow_takes() -> None:
    [(_, value)] = flatten({"text": "x" * 7000})
    assert len(value) == 6000
