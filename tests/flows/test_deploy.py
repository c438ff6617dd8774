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

from flows import background, deploy, servers
from jmlr.errors import ConfigError, MissingResource
from jmlr.settings import ScheduleSettings, params

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
    assert [name for name, plan in found.items() if plan.once_at_a_time] == ["watch_data"]


def test_null_means_no_schedule_and_nobody_who_looks() -> None:
    found = plans_by_module(NIGHTLY.model_copy(update={"cron": None, "watch_seconds": None}))
    assert not any(plan.cron or plan.every_seconds or plan.on_new_data for plan in found.values())


def test_seconds_stand_in_for_cron() -> None:
    moved = next(plan for plan in plans_by_module(NIGHTLY, 20.0).values() if plan.on_new_data)
    assert (moved.cron, moved.every_seconds) == (None, 20.0)


@pytest.mark.parametrize("cron", ["*/5 * * * MON-FRI", "0 0 29 2 *", "0 0 L * *", "0 0 * * 7", "0 0 * * sun#1"])
def test_a_cron_that_the_settings_take_is_one_of_prefects(cron: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    assert ScheduleSettings(**{**NIGHTLY.model_dump(), "cron": cron}).cron == CronSchedule(cron=cron).cron


def test_without_a_server_it_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(MissingResource, match=r"(?s)no Prefect server.*next: make up"):
        deploy.deploy([], "jmlr", tmp_path)


def test_a_server_that_does_not_answer_is_named(tmp_path: Path, free_port: int) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    address = f"http://127.0.0.1:{free_port}/api"
    with (
        temporary_settings({PREFECT_API_URL: address}),
        pytest.raises(MissingResource, match=rf"(?s){address}: Prefect's server does not answer.*make up"),
    ):
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
    raw = params.load(ROOT / "params.yaml").model_dump(mode="json", by_alias=True)
    raw["schedule"][key] = value
    with pytest.raises(ConfigError, match=message):
        params.parse(raw)


# --- a real server, a real worker -----------------------------------------------------------------------------------
DEPLOY = """
import os
from dataclasses import replace
from pathlib import Path
from flows.servers import addresses
os.environ.update(addresses())
from flows import deploy
from jmlr.settings import params
schedule = params.load().schedule
wanted = [
    deploy.Plan("pipeline", every_seconds=60, on_new_data=True, parameters={"also_register": False}),
    deploy.Plan("watch_data", every_seconds=15, once_at_a_time=True),
]
print(deploy.deploy(wanted, schedule.work_pool, Path.cwd()))
"""


@pytest.fixture
def served(tiny_repository: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a Prefect server of the repository's own, with the deployments and a worker."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_TRACKING"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tiny_repository / ".prefect"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tiny_repository)
    server, _ = servers.programs({"JMLR_PREFECT_PORT": str(free_port)})
    background.start(server, servers.FOLDER)
    worker: subprocess.Popen[bytes] | None = None
    try:
        background.wait_until_healthy(server, servers.FOLDER, 240)
        subprocess.run([sys.executable, "-c", DEPLOY], check=True, timeout=180)
        with (tiny_repository / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "flows.deploy", "--work"]
            worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        yield f"{server.address}/api", tiny_repository
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
