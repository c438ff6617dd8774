"""One promotion, and one registration, at a time.

On one machine the lock is on a file; the kernel frees it when its process ends. MLflow changes an alias without looking
at what it was, so machines that share a tracking server need more: a registered model of a reserved name. Only one
machine can make it, because names are unique in the store. It exists while the alias moves.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from jmlr import fingerprint
from jmlr.errors import RegistryError
from jmlr.files import is_running

if TYPE_CHECKING:
    from mlflow import MlflowClient

WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_LEASE = "promotion-lease"
_HOLDER = "holder"


def beside_store(uri: str, name: str) -> Path:
    """The file `name` beside a sqlite store, or in the working folder for a store elsewhere.

    >>> beside_store("sqlite:///mlflow.db", "lock").as_posix()
    'mlflow.db.lock'
    >>> beside_store("https://mlflow.example.org", "lock").as_posix()
    'mlflow.a664daec.lock'
    """
    if uri.startswith("sqlite:///"):
        return Path(f"{uri.removeprefix('sqlite:///').partition('?')[0]}.{name}")
    return Path(f"mlflow.{fingerprint.of_text(uri)[:8]}.{name}")


@contextmanager
def alone(client: MlflowClient, model: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Holds the lock of `model`; waits while another process holds it.

    `model`: the registered model's name, with which it is promoted; `MODEL.register` is held to register.

    Raises:
        RegistryError: if another still holds it after `wait_seconds`; it is named.
    """
    uri = client.tracking_uri
    with ExitStack() as held:
        if uri.startswith("sqlite:"):
            held.enter_context(_file_lock(beside_store(uri, f"{model}.lock"), wait_seconds))
        else:
            # One file for all working folders of this machine: two of them may use the same server.
            name = f"jmlr-{os.getuid()}-{fingerprint.of_text(uri)[:8]}.{model}.lock"
            held.enter_context(_file_lock(Path(tempfile.gettempdir()) / name, wait_seconds))
            held.enter_context(_lease(client, model, wait_seconds))
        yield


@contextmanager
def _file_lock(file: Path, wait_seconds: float) -> Iterator[None]:
    file.touch()
    with file.open("r+", encoding="utf-8") as held:
        if not _patiently(lambda: _locked(held), wait_seconds):
            raise RegistryError(
                f"held by {held.read().strip() or 'another process'} for {wait_seconds:g} seconds",
                expected="one promotion, or registration, at a time",
                where=str(file),
                next_step="wait for it; a killed process no longer holds it",
            )
        held.truncate(0)
        held.write(f"process {os.getpid()} since {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC")
        held.flush()
        yield


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _lease(client: MlflowClient, model: str, wait_seconds: float) -> Iterator[None]:
    """Only under this machine's file lock, so that one process alone takes over the lease of a dead one."""
    name = f"{model}.{_LEASE}"
    if not _patiently(lambda: _leased(client, name), wait_seconds):
        raise RegistryError(
            f"held by {_holder(client, name) or 'another machine'}",
            expected="one promotion at a time",
            where=f"registered model {name}",
            next_step=f"wait for it; if that machine is gone, delete the registered model {name} in MLflow",
        )
    try:
        yield
    finally:
        client.delete_registered_model(name)


def _leased(client: MlflowClient, name: str) -> bool:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    holder = {"host": socket.gethostname(), "process": os.getpid(), "since": datetime.now(timezone.utc).isoformat()}
    try:
        client.create_registered_model(name, tags={_HOLDER: json.dumps(holder)})
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
        found = _holder(client, name)
        if found.get("host") == holder["host"] and not _still_holds(found):
            client.delete_registered_model(name)
        return False
    return True


def _still_holds(found: Mapping[str, Any]) -> bool:
    """Whether the process of this machine that took a lease still runs; True if that cannot be found out.

    A process that began after the lease was taken is another one with the same number: numbers repeat after a restart
    of the machine, and in every container, whose first process is number 1.
    """
    process = str(found.get("process"))
    if not is_running(process):
        return False
    try:
        since = datetime.fromisoformat(found["since"])
        began = psutil.Process(int(process)).create_time()
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, KeyError, TypeError, ValueError):
        return True
    return began <= (since if since.tzinfo else since.replace(tzinfo=timezone.utc)).timestamp()


def _holder(client: MlflowClient, name: str) -> dict[str, Any]:
    from mlflow.exceptions import MlflowException

    try:
        found = json.loads(client.get_registered_model(name).tags.get(_HOLDER, "{}"))
    except (MlflowException, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _patiently(attempt: Callable[[], bool], wait_seconds: float) -> bool:
    """Whether `attempt` succeeded within the time."""
    until = time.monotonic() + wait_seconds
    while not attempt():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
