"""Whoever is killed by `kill -9`, nothing that it started goes on, and its lock is free."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from flows import subprocess_lines
from flows.run_lock import LOCK_FILE, AlreadyRunning, only_run
from flows.subprocess_lines import CommandFailed, run_lines
from jmlr.errors import BudgetReached

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the orphans of other sessions on Linux only")

# A command with a child in a session of its own, as torchrun's workers are, and one that does not listen to SIGTERM.
COMMAND = """
import signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
away = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
child.stdout.readline()
print(away.pid, child.pid, flush=True)
time.sleep(600)
"""

CALLER = f"""
from pathlib import Path
from flows import subprocess_lines
from flows.run_lock import only_run
from flows.subprocess_lines import run_lines
import sys
subprocess_lines._SUPERVISOR = (sys.executable, "-I", str(Path.cwd() / "supervisor.py"))
with only_run(Path.cwd(), "first", wait=False):
    run_lines([sys.executable, "-c", {COMMAND!r}], lambda line: print(line, flush=True))
"""


@pytest.fixture(autouse=True)
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that waits for one second, not for ten, before it kills what does not listen."""
    code = Path(subprocess_lines._SUPERVISOR[-1]).read_text()
    assert "_GRACE_SECONDS = 10.0" in code
    (tmp_path / "supervisor.py").write_text(code.replace("_GRACE_SECONDS = 10.0", "_GRACE_SECONDS = 1.0"))
    monkeypatch.setattr(subprocess_lines, "_SUPERVISOR", (sys.executable, "-I", str(tmp_path / "supervisor.py")))


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that ended and was not waited for does not."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def caller(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A process that holds the lock and runs COMMAND, and all processes below it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder)}
    words = [sys.executable, "-c", CALLER]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline().split()
            below = psutil.Process(process.pid).children(recursive=True)
            assert {int(number) for number in told} <= {one.pid for one in below}
            yield process, below
        finally:
            process.kill()


def test_a_killed_flow_takes_all_along_and_lets_go_of_its_lock_when_they_are_gone(tmp_path: Path) -> None:
    with caller(tmp_path) as (process, below):
        assert len(below) == 4, "supervisor, command, and its two children"
        with pytest.raises(AlreadyRunning, match=r"another run is under way: .*\"first\".*one run at a time"):
            with only_run(tmp_path, "second", wait=False):
                pass
        process.kill()
        process.wait()
        with only_run(tmp_path, "second", wait=True):
            assert alive(below) == []
            assert json.loads((tmp_path / LOCK_FILE).read_text())["run"] == "second"


def test_a_killed_supervisor_is_a_failure_and_leaves_nothing_of_its_group() -> None:
    def kill_the_supervisor(line: str) -> None:
        [supervisor] = [one for one in psutil.Process().children() if "supervisor.py" in " ".join(one.cmdline())]
        seen.extend(one for one in supervisor.children(recursive=True) if os.getpgid(one.pid) == supervisor.pid)
        supervisor.kill()

    seen: list[psutil.Process] = []
    with pytest.raises(CommandFailed, match=r"exit status 137; its last lines") as caught:
        run_lines([sys.executable, "-c", COMMAND], kill_the_supervisor)
    assert caught.value.status == 137
    assert len(seen) == 2
    deadline = time.monotonic() + 10
    while alive(seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(seen) == []


def test_a_killed_command_takes_what_it_started_along() -> None:
    def kill_the_command(line: str) -> None:
        seen.extend(psutil.Process(int(number)) for number in line.split())
        os.kill(seen[0].ppid(), signal.SIGKILL)

    seen: list[psutil.Process] = []
    with pytest.raises(CommandFailed, match="exit status 137"):
        run_lines([sys.executable, "-c", COMMAND], kill_the_command)
    assert alive(seen) == []


def test_a_limit_ends_the_command_and_is_the_error() -> None:
    seen: list[psutil.Process] = []
    enough = BudgetReached("10 hours were used", expected="less than 9")
    with pytest.raises(BudgetReached, match=r"10 hours were used; expected less than 9"):
        run_lines(
            [sys.executable, "-c", COMMAND],
            lambda line: seen.extend(psutil.Process(int(number)) for number in line.split()),
            limit=lambda: enough if seen else None,
        )
    assert alive(seen) == []


def test_a_run_waits_for_the_one_before_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    with only_run(tmp_path, "first", wait=False):
        code = (
            "from pathlib import Path; from flows.run_lock import only_run\n"
            "with only_run(Path.cwd(), 'second', wait=True, tell=lambda line: print(line, flush=True)): print('in')"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path)}
        second = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert second.stdout is not None
        told.append(second.stdout.readline())
        with pytest.raises(AlreadyRunning, match='another second waits already for {"run": "first"'):
            with only_run(tmp_path, "second", wait=True):
                pass
    rest, _ = second.communicate(timeout=60)
    assert told[0].startswith('waiting for another run to end: {"run": "first"')
    assert rest == "in\n"


def test_a_guard_ends_a_process_when_its_starter_is_gone() -> None:
    guarded = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    words = [sys.executable, "-I", str(ROOT / "flows" / "guard.py"), str(guarded.pid)]
    guard = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert guard.stdin is not None
    guard.stdin.close()  # as the kernel does when the starter dies
    assert guarded.wait(30) == -signal.SIGTERM
    assert guard.wait(30) == 0
