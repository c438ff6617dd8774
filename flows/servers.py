"""The Prefect and the MLflow server of this machine: `python -m flows.servers up`, `down`, `status`, `env`.

Both listen on 127.0.0.1 only. Their data lie in sqlite files of the repository, or in PostgreSQL (JMLR_POSTGRES).
Neither asks for a password: docs/orchestration.md says what belongs before them on more than one machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows import background
from flows.background import Program
from flows.ending import ending_plainly, parser
from jmlr.console import CONSOLE
from jmlr.errors import ConfigError
from jmlr.files import alone

FOLDER = Path(".servers")
NAMES = ("prefect", "mlflow")
_TIMEOUT_SECONDS = 180.0  # the first start makes all tables, and machines are busy
_HIGHEST_PORT = 65535


def programs(environment: Mapping[str, str] = os.environ) -> tuple[Program, Program]:
    """Both servers, as the environment variables say.

    JMLR_PREFECT_PORT (4200) and JMLR_MLFLOW_PORT (5000) move them. JMLR_POSTGRES, as postgresql://user:word@host:5432,
    has them use its databases `prefect` and `mlflow`. Prefect's and MLflow's own variables go before it.

    Raises:
        ConfigError: if a port or the address of PostgreSQL is none.
    """
    prefect_port, mlflow_port = (
        _port("JMLR_PREFECT_PORT", 4200, environment),
        _port("JMLR_MLFLOW_PORT", 5000, environment),
    )
    prefect = {
        "PREFECT_API_URL": f"http://127.0.0.1:{prefect_port}/api",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(prefect_port),
    }
    mlflow = {
        "MLFLOW_BACKEND_STORE_URI": "sqlite:///mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": "./mlartifacts",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes for what this project does not use
    }
    if postgres := environment.get("JMLR_POSTGRES"):
        place = _postgres_place(postgres)
        prefect["PREFECT_API_DATABASE_CONNECTION_URL"] = f"postgresql+asyncpg://{place}/prefect"
        mlflow["MLFLOW_BACKEND_STORE_URI"] = f"postgresql://{place}/mlflow"
    owned = ("PREFECT_API_DATABASE_CONNECTION_URL", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION")
    named = {name: environment[name] for name in owned if environment.get(name)}
    return (
        Program(
            name="prefect",
            arguments=("prefect", "server", "start"),
            port=prefect_port,
            health="/api/health",
            port_variable="JMLR_PREFECT_PORT",
            environment={**prefect, **named},
        ),
        Program(
            name="mlflow",
            arguments=("mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port), "--workers", "1"),
            port=mlflow_port,
            health="/health",
            port_variable="JMLR_MLFLOW_PORT",
            environment={**mlflow, **named},
        ),
    )


def up(folder: Path = FOLDER) -> None:
    """Start what does not run, and return when both answer; if one cannot, stop again what this call has started.

    Raises:
        MissingResource: if a port is taken, or a server ends or does not answer in 3 minutes.
    """
    started: list[str] = []
    with alone(folder / "lock", "starts or stops them", wait=True):
        try:
            for program in programs():
                if background.start(program, folder):
                    started.append(program.name)
            for program in programs():
                if background.running(folder, program.name) in (program.address, None):
                    background.wait_until_healthy(program, folder, _TIMEOUT_SECONDS)
        except BaseException:
            for name in started:
                background.stop(folder, name)
            raise
    status(folder)
    CONSOLE.print('For commands of this shell: eval "$(python -m flows.servers env)"')


def down(folder: Path = FOLDER) -> None:
    """Stop both; nothing happens where they do not run."""
    with alone(folder / "lock", "starts or stops them", wait=True):
        for name in NAMES:
            CONSOLE.print(f"{name}: {'stopped' if background.stop(folder, name) else 'was not running'}")


def status(folder: Path = FOLDER) -> None:
    """Print where each server answers."""
    for name in NAMES:
        CONSOLE.print(f"{name}: {background.running(folder, name) or 'not running'}  (log: {folder / name}.log)")


def addresses(folder: Path = FOLDER) -> dict[str, str]:
    """PREFECT_API_URL and MLFLOW_TRACKING_URI of the servers that run here; a value the user has set stays."""
    found = {}
    if (prefect := background.running(folder, "prefect")) is not None:
        found["PREFECT_API_URL"] = f"{prefect}/api"
    if (mlflow := background.running(folder, "mlflow")) is not None:
        found["MLFLOW_TRACKING_URI"] = mlflow
    return {name: os.environ.get(name) or value for name, value in found.items()}


def _port(variable: str, default: int, environment: Mapping[str, str]) -> int:
    given = environment.get(variable) or str(default)
    if not given.isdecimal() or not 0 < int(given) <= _HIGHEST_PORT:
        raise ConfigError(f"{given!r} is no port", expected=f"1 to {_HIGHEST_PORT}", where=variable)
    return int(given)


def _postgres_place(url: str) -> str:
    scheme, _, place = url.partition("://")
    if scheme not in ("postgresql", "postgres") or not place or "/" in place:
        raise ConfigError(
            "no address of a PostgreSQL server",
            expected="postgresql://user:password@host:5432, without a database: prefect and mlflow are theirs",
            where="JMLR_POSTGRES",
        )
    return place


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; an error the user can fix ends with exit status 2, without a traceback."""
    reader = parser("servers", __doc__)
    reader.add_argument(
        "command",
        choices=("up", "down", "status", "env"),
        help="up: start both and wait; down: stop both; status: where they are; env: export lines for a shell",
    )
    command = reader.parse_args(words).command
    with ending_plainly():
        if command == "env":
            sys.stdout.writelines(f"export {name}={value}\n" for name, value in addresses().items())
        else:
            {"up": up, "down": down, "status": status}[command]()


if __name__ == "__main__":
    main()
