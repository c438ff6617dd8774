"""Flows run in a process and a small DVC repository of their own, with Prefect's temporary server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def make_dvc_repository(folder: Path) -> None:
    """One without git."""
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")


@pytest.fixture(scope="session")
def make_stand_in() -> Callable[[Path], Path]:
    """Makes a repository whose stages take a moment, with settings, data and data.dvc; no version is registered."""
    return fill_stand_in


def fill_stand_in(folder: Path) -> Path:
    """The folder with what tests/flows/stand_in has, and what belongs to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (ROOT / "tests" / "flows" / "stand_in").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "pipeline.yaml").rename(folder / "dvc.yaml")  # under its own name DVC would take it for one of ours
    make_dvc_repository(folder)
    (folder / "python.yaml").write_text(yaml.safe_dump({"python": sys.executable}))
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["flows"]["retry_delay_seconds"] = 0
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    (folder / "data").mkdir()
    (folder / "data" / "words.txt").write_text("good")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], cwd=folder, check=True, timeout=120)
    return folder


MAKE_TABLES = """
import asyncio
from prefect.server.database import provide_database_interface
asyncio.run(provide_database_interface().run_migrations_upgrade())
"""


@pytest.fixture(scope="session")
def prefect_home(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A home of Prefect with its tables, which take as long to make as a flow to run."""

    def make_tables(folder: Path) -> None:
        environment = {**_without_prefect(), "PREFECT_HOME": str(folder)}
        subprocess.run([sys.executable, "-c", MAKE_TABLES], env=environment, check=True, timeout=300)

    return made_once("prefect_home", make_tables)


def _without_prefect() -> dict[str, str]:
    """The environment without the Prefect settings of the person who runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


@pytest.fixture(scope="session")
def run_flows(prefect_home: Path) -> Callable[[Path, str, int], str]:
    """Runs a script in a folder that it makes a DVC repository without git; gives what the script printed.

    A busy machine gets time to start the server.
    """

    def run(folder: Path, script: str, timeout_seconds: int) -> str:
        make_dvc_repository(folder)
        shutil.copytree(prefect_home, folder / ".prefect")
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env={
                **_without_prefect(),
                "PYTHONPATH": str(ROOT),
                "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def tiny_repository(tmp_path: Path, made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A DVC repository with data and one stage, which has run."""
    return Path(shutil.copytree(made_once("tiny_repository", _fill_tiny), tmp_path, dirs_exist_ok=True))


def _fill_tiny(folder: Path) -> None:
    make_dvc_repository(folder)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (folder / "data").mkdir()
    (folder / "data" / "a").write_text("first")
    copy = f"{sys.executable} -c \"import shutil; shutil.copy('data/a', 'a.txt')\""
    (folder / "dvc.yaml").write_text(f"stages:\n  first:\n    cmd: {copy}\n    deps: [data]\n    outs: [a.txt]\n")
    _dvc(folder, "add", "-q", "data")
    _dvc(folder, "repro", "-q")
