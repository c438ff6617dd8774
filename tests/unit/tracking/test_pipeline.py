from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from jmlr.tracking.pipeline import HOURS, Pipeline, Stage
from jmlr.tracking.run import TrainingRun
from jmlr.tracking.runs import families


@pytest.fixture
def pipeline(tracked: MlflowClient, tmp_path: Path, request: pytest.FixtureRequest) -> Pipeline:
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    return Pipeline(tmp_path / "pipeline_run.json", request.node.name, {"recipe": "starter", "seed": 1})


def states(client: MlflowClient, pipeline: Pipeline) -> list[tuple[str, str, dict[str, str]]]:
    """Of every pipeline, newest first: name, state, and the states of its stages."""
    return [
        (
            family.run.info.run_name,
            family.run.info.status,
            {run.info.run_name: run.info.status for run in reversed(family.children)},
        )
        for family in families(client, pipeline.experiment, 10)
    ]


def test_stages_are_runs_below_one_pipeline_until_it_is_closed(
    tracked: MlflowClient, pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "table.parquet").write_bytes(b"rows")
    (tmp_path / "counts.json").write_text("{}")
    with pipeline.stage(Stage("ingest", {"seed": 1}, (tmp_path / "table.parquet",), (tmp_path / "counts.json",))):
        pass
    with pipeline.stage(Stage("train", {}, has_own_run=True)), TrainingRun.start(pipeline.experiment, {}) as run:
        run.log(1, {"test/accuracy/jmlr/value": 0.5})
    pipeline.close()
    with pipeline.stage(Stage("ingest", {})):
        pass
    newest, first = states(tracked, pipeline)
    assert first == ("pipeline starter", "FINISHED", {"ingest": "FINISHED", "train": "FINISHED"})
    assert newest == ("pipeline starter", "RUNNING", {"ingest": "FINISHED"})
    family = families(tracked, pipeline.experiment, 10)[1]
    assert family.metric("test/accuracy/jmlr/value") == 0.5
    assert set(family.run.data.metrics) == {f"{HOURS}ingest", f"{HOURS}train"}
    [ingest] = [child for child in family.children if child.info.run_name == "ingest"]
    assert ingest.data.params == {"seed": "1"}
    assert [found.dataset.name for found in ingest.inputs.dataset_inputs] == ["table"]
    assert [item.path for item in tracked.list_artifacts(ingest.info.run_id)] == ["counts.json"]


def test_a_failed_stage_fails_its_pipeline_and_a_retry_goes_on_in_it(tracked: MlflowClient, pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="bad row"), pipeline.stage(Stage("ingest", {})):
        raise ValueError("bad row")
    assert states(tracked, pipeline) == [("pipeline starter", "FAILED", {"ingest": "FAILED"})]
    with pipeline.stage(Stage("validate", {})):
        pass
    assert states(tracked, pipeline) == [("pipeline starter", "RUNNING", {"ingest": "FAILED", "validate": "FINISHED"})]


def test_other_settings_begin_another_pipeline(tracked: MlflowClient, pipeline: Pipeline, tmp_path: Path) -> None:
    with pipeline.stage(Stage("ingest", {})):
        pass
    (tmp_path / "params.yaml").write_text("seed: 2\n")
    with pipeline.stage(Stage("ingest", {})):
        pass
    assert [state for _, state, _ in states(tracked, pipeline)] == ["RUNNING", "FAILED"]


def test_a_stage_that_was_killed_is_marked_by_the_next(tracked: MlflowClient, pipeline: Pipeline) -> None:
    with pipeline.stage(Stage("ingest", {})):
        pass
    [family] = families(tracked, pipeline.experiment, 1)
    tracked.update_run(family.children[0].info.run_id, status="RUNNING")
    with pipeline.stage(Stage("validate", {})):
        pass
    assert states(tracked, pipeline)[0][2] == {"ingest": "KILLED", "validate": "FINISHED"}


def test_a_store_that_does_not_answer_costs_a_warning_and_not_the_stage(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")
    done = []
    with pytest.warns(UserWarning, match="the stage goes on"), pipeline.stage(Stage("ingest", {})):
        done.append("ingest")
    assert done == ["ingest"]


def test_the_machine_is_measured_while_a_run_goes_on(
    tracked: MlflowClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with TrainingRun.start(pipeline.experiment, {}) as run:
        until = time.monotonic() + 60
        while not tracked.get_run(run.run_id).data.metrics and time.monotonic() < until:
            time.sleep(0.2)
    assert "system/cpu_utilization_percentage" in tracked.get_run(run.run_id).data.metrics
