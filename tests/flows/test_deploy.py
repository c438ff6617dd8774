"""Which flows are deployed and when they run; on a real server with a real worker in the slow test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows import background, deploy, servers, stale_stages, watch_data
from jmlr import config
from jmlr.config import ScheduleSettings
from jmlr.errors import ConfigError, DataError, MissingResource

ROOT = Path(__file__).parents[2]
NIGHTLY = ScheduleSettings(cron="0 3 * * *", time_zone="Europe/Berlin", watch_seconds=300, work_pool="jmlr")


def plans_by_module(schedule: ScheduleSettings, every: float | None = None) -> dict[str, deploy.Plan]:
    return {plan.module: plan for plan in deploy.plans(schedule, every)}


def test_one_flow_runs_on_schedule_and_on_new_data_and_the_rest_by_hand() -> None:
    found = plans_by_module(NIGHTLY)
    moved = [plan for plan in found.values() if plan.cron is not None]
    assert [(plan.cron, plan.time_zone, plan.on_new_data) for plan in moved] == [("0 3 * * *", "Europe/Berlin", True)]
    assert moved[0].module == ("retrain" if "retrain" in found else "pipeline")
    assert found["watch_data"].every_seconds == 300


def test_null_means_no_schedule_and_nobody_who_looks() -> None:
    found = plans_by_module(NIGHTLY.model_copy(update={"cron": None, "watch_seconds": None}))
    assert "watch_data" not in found
    assert not any(plan.cron or plan.every_seconds or plan.on_new_data for plan in found.values())


def test_seconds_stand_in_for_cron() -> None:
    moved = next(plan for plan in plans_by_module(NIGHTLY, 20.0).values() if plan.on_new_data)
    assert (moved.cron, moved.every_seconds) == (None, 20.0)


def test_without_a_server_it_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(MissingResource, match=r"(?s)no Prefect server.*next: make up"):
        deploy.deploy([], "jmlr", tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("cron", "every night", r"schedule\.cron: String should match"),
        ("time_zone", "Mars/Base", r"schedule\.time_zone: .*'Mars/Base' is no time zone"),
        ("watch_seconds", 1, r"schedule\.watch_seconds: "),
        ("work_pool", "a pool", r"schedule\.work_pool: "),
    ],
)
def test_a_schedule_that_is_none_is_refused_by_its_key(key: str, value: object, message: str) -> None:
    raw = config.load(ROOT / "params.yaml").model_dump(mode="json", by_alias=True)
    raw["schedule"][key] = value
    with pytest.raises(ConfigError, match=message):
        config.parse(raw)


def dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A DVC repository with data and one stage, which has run."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("first")
    copy = f"{sys.executable} -c \"import shutil; shutil.copy('data/a', 'a.txt')\""
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  first:\n    cmd: {copy}\n    deps: [data]\n    outs: [a.txt]\n")
    dvc(tmp_path, "add", "-q", "data")
    dvc(tmp_path, "repro", "-q")
    return tmp_path


def test_dvc_says_whether_there_is_anything_to_do(repository: Path) -> None:
    assert stale_stages.is_up_to_date(repository)
    (repository / "data" / "a").write_text("second")
    assert not stale_stages.is_up_to_date(repository)


def test_a_missing_output_and_a_held_lock_are_not_up_to_date(repository: Path) -> None:
    (repository / "a.txt").unlink()
    assert not stale_stages.is_up_to_date(repository)
    assert not stale_stages.is_up_to_date(repository / "data" / "nowhere")


def test_the_state_of_the_data_changes_with_the_files_and_with_data_dvc(repository: Path) -> None:
    clean = watch_data.state_of_data(repository)
    assert clean["status"] == ""
    (repository / "data" / "a").write_text("second")
    modified = watch_data.state_of_data(repository)
    assert modified["data_dvc_hash"] == clean["data_dvc_hash"]
    assert "modified" in modified["status"]
    dvc(repository, "add", "-q", "data")
    assert watch_data.state_of_data(repository)["data_dvc_hash"] != clean["data_dvc_hash"]


def test_no_data_dvc_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.dvc: no such file.*\n.*dvc add data"):
        watch_data.state_of_data(tmp_path)


# --- a real server, a real worker -----------------------------------------------------------------------------------
DEPLOY = """
import os
from dataclasses import replace
from pathlib import Path
from flows.servers import addresses
os.environ.update(addresses())
from flows import deploy
from jmlr import config
schedule = config.load().schedule
wanted = [
    deploy.Plan("pipeline", every_seconds=60, on_new_data=True, parameters={"also_register": False}),
    deploy.Plan("watch_data", every_seconds=15),
]
print(deploy.deploy(wanted, schedule.work_pool, Path.cwd()))
"""


@pytest.fixture
def served(repository: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a Prefect server of the repository's own, with the deployments and a worker."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_TRACKING"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(repository / ".prefect"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(repository)
    server, _ = servers.programs({"JMLR_PREFECT_PORT": str(free_port)})
    background.start(server, servers.FOLDER)
    worker: subprocess.Popen[bytes] | None = None
    try:
        background.wait_until_healthy(server, servers.FOLDER, 240)
        subprocess.run([sys.executable, "-c", DEPLOY], check=True, timeout=180)
        with (repository / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "flows.deploy", "--work"]
            worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        yield f"{server.address}/api", repository
    finally:
        if worker is not None:
            # Asked kindly it would wait for its runs, and a look at the data is always under way.
            for process in [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]:
                if process.is_running():
                    process.kill()
            worker.wait(30)
        background.stop(servers.FOLDER, server.name)


def completed(api: str, flow: str) -> list[dict[str, Any]]:
    """Runs of the flow that ended well."""
    asked = {
        "flows": {"name": {"any_": [flow]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    return list(httpx.post(f"{api}/flow_runs/filter", json=asked, timeout=60, trust_env=False).json())


def pipeline_runs(api: str, by_schedule: bool) -> list[dict[str, Any]]:
    """Runs of the pipeline that ended well, by the schedule or by the trigger."""
    return [run for run in completed(api, "jmlr-pipeline") if run["auto_scheduled"] == by_schedule]


def wait_for(found: Callable[[], object], what: str, log: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"{what} in {seconds:.0f} s\n{log.read_text()[-3000:]}"
        time.sleep(2)


@pytest.mark.slow
def test_scheduled_runs_complete_and_new_data_start_the_pipeline(served: tuple[str, Path]) -> None:
    api, folder = served
    log = folder / "worker.log"
    wait_for(lambda: completed(api, "jmlr-watch-data"), "no scheduled look at the data", log)
    assert completed(api, "jmlr-watch-data")[0]["auto_scheduled"]
    wait_for(lambda: pipeline_runs(api, True), "no scheduled run of the pipeline", log)
    assert not pipeline_runs(api, False)
    (folder / "data" / "a").write_text("second")
    wait_for(lambda: pipeline_runs(api, False), "no run on new data", log)
    assert (folder / "a.txt").read_text() == "second"
