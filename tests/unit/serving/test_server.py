"""The process: SIGTERM loses no question, a port in use is told, what it listens on is what was asked for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from jmlr.errors import MissingResource
from jmlr.serving import server

PROGRAM = """
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("stub", sys.argv[1])
stub = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stub)
from jmlr.settings import params
from jmlr.serving import server
from jmlr.serving.app import create_app
from jmlr.serving.desk import Desk
limits = params.load(Path(sys.argv[2])).serve.model_copy(update={"drain_seconds": 1.0, "batch_questions": 1})
desk = Desk([stub.StubModel(before=lambda asked: time.sleep(1.5))], limits)
taken = server.bind("127.0.0.1", 0)
print(server.address_of(taken), flush=True)
server.serve(create_app(desk), desk, taken)
print("closed", flush=True)
"""
ASKED = {"question": "Which test?", "options": ["MRI", "ECG"]}


@pytest.fixture
def process(repository: Path, tmp_path: Path):
    arguments = [str(Path(__file__).with_name("conftest.py")), str(repository / "params.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    yield process
    process.kill()
    process.wait()


def test_sigterm_finishes_what_was_accepted_and_refuses_the_rest(process):
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    with ThreadPoolExecutor(2) as pool, httpx.Client(base_url=address, timeout=30) as client:
        _wait_until_ready(client)
        accepted = [pool.submit(httpx.post, f"{address}/v1/answer", json=ASKED, timeout=30) for _ in range(2)]
        while 'jmlr_waiting_questions{model="champion (jmlr version 3)"} 1.0' not in client.get("/metrics").text:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while (ready := client.get("/ready")).status_code == 200:
            time.sleep(0.02)
        refused = client.post("/v1/answer", json=ASKED)
        answers = [one.result() for one in accepted]
    assert (ready.status_code, ready.headers["connection"]) == (503, "close")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert [answer.status_code for answer in answers] == [200, 200]
    assert process.wait(20) == 0
    assert process.stdout.read() == "closed\n"


def _wait_until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("the server did not start")


def test_a_port_that_is_taken_is_told():
    with server.bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MissingResource, match=rf"127.0.0.1 port {port}: cannot listen there"):
            server.bind("127.0.0.1", port)


def test_a_host_that_is_not_of_this_machine_is_told():
    with pytest.raises(MissingResource, match="cannot listen there"):
        server.bind("192.0.2.1", 0)


def test_a_free_port_is_taken_and_told():
    with server.bind("127.0.0.1", 0) as taken:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.address_of(taken))
