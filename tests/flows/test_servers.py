"""Programs in the background: started once, told apart from others, ended with all they started."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows import background, servers
from flows.background import Program
from jmlr.errors import ConfigError, MissingResource

# Answers 200, has a child of its own, and writes both process ids.
SERVER = """
import http.server, os, subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[2]).write_text(str(child.pid))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    (tmp_path / "small_server.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = ("small_server", str(free_port), str(tmp_path / "child"))
    yield Program("small", words, free_port, "/", "SMALL_PORT", {})
    background.stop(tmp_path, "small")


def test_a_program_is_started_once_and_stopped_with_its_children(program: Program, tmp_path: Path) -> None:
    assert background.start(program, tmp_path)
    background.wait_until_healthy(program, tmp_path, 60)
    assert not background.start(program, tmp_path)
    assert background.running(tmp_path, "small") == program.address
    child = int((tmp_path / "child").read_text())
    assert psutil.pid_exists(child)
    assert background.stop(tmp_path, "small")
    assert background.running(tmp_path, "small") is None
    gone, _ = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert not psutil.pid_exists(child) or gone or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert not background.stop(tmp_path, "small")


def test_a_taken_port_names_the_variable_that_moves_it(program: Program, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", program.port))
        other.listen()
        with pytest.raises(
            MissingResource, match=rf"(?s)port {program.port} is taken.*make up SMALL_PORT={program.port + 1}"
        ):
            background.start(program, tmp_path)
    assert background.running(tmp_path, "small") is None


def test_a_program_that_ends_shows_its_log(program: Program, tmp_path: Path) -> None:
    broken = Program("small", ("no_such_module_here",), program.port, "/", "SMALL_PORT", {})
    background.start(broken, tmp_path)
    with pytest.raises(
        MissingResource, match=r"(?s)small\.log: small has ended; its last lines:.*No module named no_such"
    ):
        background.wait_until_healthy(broken, tmp_path, 60)


def test_a_program_that_does_not_answer_is_reported(program: Program, tmp_path: Path) -> None:
    deaf = Program("small", ("timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)"), program.port, "/", "P", {})
    background.start(deaf, tmp_path)
    with pytest.raises(MissingResource, match=r"small did not answer in 1 seconds"):
        background.wait_until_healthy(deaf, tmp_path, 1)


def test_another_process_with_an_old_id_is_not_the_program_and_is_not_ended(tmp_path: Path) -> None:
    kept = {"pid": os.getpid(), "started": psutil.Process().create_time() - 1000, "address": "http://127.0.0.1:1"}
    (tmp_path / "small.json").write_text(json.dumps(kept))
    assert background.running(tmp_path, "small") is None
    assert not background.stop(tmp_path, "small")


@pytest.mark.parametrize("content", ["", "[]", "{}", "half a li"])
def test_a_broken_pid_file_is_a_program_that_does_not_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "small.json").write_text(content)
    assert background.running(tmp_path, "small") is None


def test_both_servers_listen_on_this_machine_only_with_sqlite() -> None:
    prefect, mlflow = servers.programs({})
    assert (prefect.address, mlflow.address) == ("http://127.0.0.1:4200", "http://127.0.0.1:5000")
    assert prefect.environment["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert mlflow.arguments[mlflow.arguments.index("--host") + 1] == "127.0.0.1"
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///mlflow.db"


def test_one_variable_leads_both_to_postgresql_and_keeps_the_password_out_of_arguments() -> None:
    prefect, mlflow = servers.programs({"JMLR_POSTGRES": "postgresql://me:secret@db:5432"})
    assert (
        prefect.environment["PREFECT_API_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://me:secret@db:5432/prefect"
    )
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:secret@db:5432/mlflow"
    assert "secret" not in " ".join([*prefect.arguments, *mlflow.arguments])


def test_variables_of_prefect_and_mlflow_go_first() -> None:
    own = {"MLFLOW_BACKEND_STORE_URI": "sqlite:///other.db", "JMLR_POSTGRES": "postgresql://db:5432"}
    assert servers.programs(own)[1].environment["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///other.db"


@pytest.mark.parametrize("address", ["db:5432", "mysql://db", "postgresql://db:5432/jmlr", "postgresql://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"JMLR_POSTGRES: no address of a PostgreSQL server"):
        servers.programs({"JMLR_POSTGRES": address})


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match=rf"JMLR_MLFLOW_PORT: '{port}' is no port"):
        servers.programs({"JMLR_MLFLOW_PORT": port})


def test_what_the_user_has_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = psutil.Process().create_time()
    for name, port in (("prefect", 1), ("mlflow", 2)):
        kept = {"pid": os.getpid(), "started": started, "address": f"http://127.0.0.1:{port}"}
        (tmp_path / f"{name}.json").write_text(json.dumps(kept))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert servers.addresses(tmp_path) == {
        "PREFECT_API_URL": "http://127.0.0.1:1/api",
        "MLFLOW_TRACKING_URI": "http://elsewhere",
    }


def test_up_stops_what_it_started_when_the_other_cannot_start(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Program("other", ("no_such_module_here",), program.port + 1, "/", "OTHER_PORT", {})
    monkeypatch.setattr(servers, "programs", lambda: (program, bad))
    with pytest.raises(MissingResource, match="other has ended"):
        servers.up(tmp_path)
    assert background.running(tmp_path, "small") is None


def test_the_command_line_says_what_is_wrong_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JMLR_PREFECT_PORT", "none")
    with pytest.raises(SystemExit) as ended:
        servers.main(["up"])
    assert ended.value.code == 2
    assert "'none' is no port" in capsys.readouterr().err
    assert sys.exc_info()[0] is None
