"""A worker and a server of the user's own, killed by `kill -9` while a retraining runs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 400.0

DEPLOY = """
from prefect import flow
flow.from_source(source=".", entrypoint="run_flow.py:retrain_stand_in").to_deployment(
    name="test", work_pool_name="pool"
).apply()
"""
RUN = "from prefect.deployments import run_deployment; print(run_deployment('stand-in/test', timeout=0).id)"
STATE = """
import sys
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    print("STATE", client.read_flow_run(sys.argv[1]).state.name)
"""


def wait_for(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.2)


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(folder: Path, environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Prefect's, its output in a file of its name."""
    with (folder / f"{words[0]}.log").open("wb") as log:
        command = [sys.executable, "-m", "prefect", *words]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            for one in [*alive_in(folder, f"prefect {words[0]}"), *alive_in(folder, "uvicorn")]:
                one.kill()
            process.kill()
            process.wait()


def alive_in(folder: Path, mark: str) -> list[psutil.Process]:
    """Processes in the repository whose command has the mark."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.status() != psutil.STATUS_ZOMBIE and Path(one.cwd()) == folder and mark in " ".join(one.cmdline()):
                found.append(one)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the working folders of processes")
def test_a_killed_worker_and_a_killed_server(tmp_path: Path, make_stand_in: Callable[[Path], Path]) -> None:
    folder = make_stand_in(tmp_path / "repository")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder / ".prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "STAND_IN_SECONDS": "1",
    }

    def call(*words: str) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(run: str) -> str:
        return re.findall(r"STATE (\w+)", call("-c", STATE, run))[0]

    def steps() -> int:
        log = folder / "steps.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def begin() -> str:
        return call("-c", RUN).split()[-1]

    with ExitStack() as programs:
        programs.enter_context(
            running(folder, environment, "server", "start", "--host", "127.0.0.1", "--port", str(port))
        )
        wait_for(lambda: answers(f"{environment['PREFECT_API_URL']}/health"), "no server")
        call("-m", "prefect", "work-pool", "create", "pool", "--type", "process")
        call("-c", DEPLOY)
        worker = programs.enter_context(running(folder, environment, "worker", "start", "--pool", "pool"))
        first = begin()
        wait_for(lambda: steps() >= 2, "training does not begin")
        worker.kill()
        # Its flow ends with it, and the stage with the flow.
        wait_for(lambda: not alive_in(folder, "jmlr_stand_in.py"), "a stage is left")
        wait_for(lambda: state(first) == "Crashed", "nobody is told of the flow's end")
        done = steps()
        assert done < 8

        programs.enter_context(running(folder, environment, "worker", "start", "--pool", "pool"))
        begin()
        wait_for(lambda: steps() >= done + 2, "training does not go on")
        for one in [*alive_in(folder, "prefect server"), *alive_in(folder, "uvicorn")]:
            one.kill()
        # The flow may go on for a while or end; what counts is that nothing of it is left when it has.
        wait_for(lambda: not alive_in(folder, "jmlr_stand_in.py"), "a stage is left")
    wait_for(lambda: not alive_in(folder, "prefect"), "a flow is left")

    environment.pop("PREFECT_API_URL")
    environment["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "180"
    printed = call("run_flow.py", "retrain")
    assert re.search(r"^(Promoted: jmlr version 1|NothingNew: version 1)", printed, flags=re.MULTILINE)
    assert 8 <= steps() <= 10, "a kill costs the step under way"
