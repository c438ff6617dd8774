"""Which MLflow store is used, and a client of it."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jmlr import telemetry
from jmlr.errors import MissingResource
from jmlr.tracking.moved import follow

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"

_PROBE_SECONDS, _SQLITE_SECONDS = 20.0, 120.0  # a new sqlite file is migrated table by table
_EXPERIMENTS = (".dvc", "tmp", "exps")


def project_root() -> Path:
    """The project's folder: the working folder, or the one whose `dvc exp run` made this temporary copy of it."""
    parts = Path.cwd().parts
    for start in range(len(parts) - len(_EXPERIMENTS)):
        if parts[start : start + len(_EXPERIMENTS)] == _EXPERIMENTS:
            return Path(*parts[:start])
    return Path()


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI where it is set, else a file mlflow.db in the project's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def connect(uri: str | None = None) -> MlflowClient:
    """A client of the store `uri` (default: `tracking_uri()`), which MLflow's own functions then use too.

    Raises:
        MissingResource: if the store does not answer.
    """
    telemetry.turn_off()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's seven take minutes
    import mlflow

    # Each step of such a migration would be printed.
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    chosen, root = uri or tracking_uri(), project_root()
    if chosen == DEFAULT_TRACKING_URI and root != Path():
        chosen = f"sqlite:///{root / 'mlflow.db'}"
    mlflow.set_tracking_uri(chosen)
    follow(chosen)
    try:
        client = mlflow.MlflowClient(tracking_uri=chosen)
        seconds = _SQLITE_SECONDS if chosen.startswith("sqlite:") else _PROBE_SECONDS
        bounded(lambda: client.search_experiments(max_results=1), seconds)
    except Exception as error:  # a store raises what its libraries raise
        raise MissingResource(
            f"MLflow does not answer: {error}",
            expected="a running tracking server or a writable sqlite file",
            where=chosen,
            next_step="start the server, or unset MLFLOW_TRACKING_URI to use mlflow.db",
        ) from error
    return client


@contextmanager
def answering() -> Iterator[None]:
    """Makes an error of MLflow within the block one that a person can act on.

    Raises:
        MissingResource: if MLflow fails.
    """
    try:
        yield
    except Exception as error:
        loaded = sys.modules.get("mlflow.exceptions")  # it takes seconds to import
        if loaded is None or not isinstance(error, loaded.MlflowException):
            raise
        raise MissingResource(
            f"MLflow failed: {str(error).splitlines()[0]}",
            expected="a store that answers to the end",
            where=tracking_uri(),
            next_step="see that the store runs, then the same command again: what is done is not done twice",
        ) from error


def bounded(call: Callable[[], T], seconds: float) -> T:
    """What `call` returns or raises.

    Raises:
        TimeoutError: if it takes longer; it is left behind then, and ends with the process.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if not wait([outcome], seconds).done:
        raise TimeoutError(f"no answer in {seconds:.0f} seconds")
    return outcome.result()
