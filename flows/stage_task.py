"""One stage of dvc.yaml, or one command, as a Prefect task: the only place that calls `dvc repro`."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.dvc import DVC, forget_cut_off
from flows.named_states import failed
from flows.stage_limit import limit_of
from flows.subprocess_lines import CommandFailed, run_lines
from flows.training_progress import TrainingProgress
from jmlr import failure
from jmlr.errors import JmlrError
from jmlr.settings import FlowsSettings, params

JMLR = (sys.executable, "-m", "jmlr.cli")

_KILLED = re.compile(r"exited with (-9|-15|137|143)\b")
_LAST_SIGNAL = 128 + 64  # DVC itself ends with 255
_MOST_RETRIES = 50  # Prefect takes no more delays
_DVC_BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked by")


def is_worth_a_retry(task: Any, task_run: Any, state: State[Any]) -> bool:
    """Whether another try may succeed; a broken setting or broken data stay broken."""
    error = state.result(raise_on_failure=False)
    return bool(getattr(error, "may_pass", isinstance(error, BaseException) and failure.may_pass(error)))


# DVC is the only cache: it knows by content what is up to date, so the tasks do not cache.
_TASK: dict[str, Any] = {"cache_policy": None, "persist_result": False, "retry_condition_fn": is_worth_a_retry}


def flows_settings(folder: Path | None = None) -> FlowsSettings | None:
    """The block `flows` of params.yaml; None in a repository without one, where nothing is bounded or tried again.

    Raises:
        ConfigError: if params.yaml breaks a rule.
    """
    path = (folder or Path.cwd()) / params.PARAMS_FILE
    return params.load(path).flows if path.exists() else None


def run_stage(stage: str, folder: Path | None = None) -> str:
    """Bring `stage`, and what it depends on, up to date as a task; one that DVC finds up to date ends as `Cached`.

    A limit of time or budget ends it; it is tried again after a kill, or when network or disk were away.

    Args:
        stage: its name in dvc.yaml.
        folder: the repository's root; the working folder if None.

    Returns:
        The name of the task's state, `Completed` or `Cached`.

    Raises:
        CommandFailed: with DVC's exit status and last lines; its `reason` is the state's name.
        JmlrError: if a limit ended it.
    """
    state = _with_retries(_stage, folder)(stage, folder, return_state=True)
    state.result()
    return str(state.name)


def run_command(
    name: str, folder: Path | None = None, arguments: Sequence[str] = (), accepted: Sequence[int] = (0,)
) -> int:
    """Run the command `jmlr NAME` as a task, for commands with side effects, which are outside the pipeline.

    Args:
        name: of the command.
        folder: the repository's root; the working folder if None.
        arguments: after the name.
        accepted: exit statuses that do not count as failures.

    Returns:
        The exit status.

    Raises:
        CommandFailed: with its exit status and last lines; its `reason` is the state's name.
        JmlrError: if a limit ended it.
    """
    state = _with_retries(_command, folder)(name, folder, tuple(arguments), tuple(accepted), return_state=True)
    return int(state.result())


@task(name="stage", task_run_name="{stage}", **_TASK)
def _stage(stage: str, folder: Path | None) -> State[Any]:
    skipped = re.compile(rf"^Stage '{re.escape(stage)}' (didn't change, skipping|is cached - skipping run)")
    seen: list[str] = []
    progress = TrainingProgress() if stage == "train" else None

    def look(line: str) -> None:
        if skipped.match(line):
            seen.append(line)
        if progress is not None:
            progress.see(line)

    if forget_cut_off(folder or Path.cwd()):
        get_run_logger().warning("DVC's list of who reads and writes what was cut off by a kill and is removed")
    try:
        _run([*DVC, "repro", stage], stage, folder, look)
    except JmlrError as error:
        return failed(error)
    return Completed(name="Cached", message=seen[-1]) if seen else Completed()


@task(name="stage", task_run_name="{stage}", cache_policy=None, persist_result=False)
def mark_cached(stage: str) -> State[Any]:
    """End at once in the state `Cached`, for a stage that DVC found up to date.

    Args:
        stage: its name in dvc.yaml.
    """
    return Completed(name="Cached", message=f"nothing that {stage} reads has changed (dvc status)")


@task(name="command", task_run_name="jmlr {name}", **_TASK)
def _command(name: str, folder: Path | None, arguments: tuple[str, ...], accepted: tuple[int, ...]) -> State[Any]:
    try:
        _run([*JMLR, name, *arguments], name, folder, lambda line: None)
    except CommandFailed as error:
        if error.status in accepted and error.status:
            return Completed(data=error.status, message=f"exit status {error.status}")
        return failed(error)
    except JmlrError as error:
        return failed(error)
    return Completed(data=0)


def _run(command: Sequence[str], name: str, folder: Path | None, look: Callable[[str], None]) -> None:
    """Runs the command with its limits; its lines go to Prefect's log and to `look`; a failure gets its true reason."""
    logger, settings = get_run_logger(), flows_settings(folder)

    def show(line: str) -> None:
        logger.info(line)
        look(line)

    with tempfile.TemporaryDirectory(prefix="jmlr-") as scratch:
        note = Path(scratch) / "failure.json"
        limit = limit_of(name, settings, folder or Path.cwd()) if settings else (lambda: None)
        try:
            run_lines(command, show, folder, limit, {failure.VARIABLE: str(note)})
        except CommandFailed as error:
            explain(error, failure.read(note))
            raise


def explain(error: CommandFailed, noted: failure.Failure | None) -> None:
    """Sets the failure's reason and whether it may pass: from the command's note, or else from how it ended.

    A killed command notes nothing, and DVC hides its status but names it in its message.
    """
    if noted is not None:
        error.reason = noted.error if noted.of_user else "Failed"
        error.may_pass = noted.may_pass
    elif 128 < error.status <= _LAST_SIGNAL or _KILLED.search(str(error)):
        error.reason, error.may_pass = "Killed", True
    elif _DVC_BUSY.search(str(error)):
        error.may_pass = True


def delays(settings: FlowsSettings | None) -> list[float]:
    """Seconds before each further try, each twice the one before; empty if nothing is tried again."""
    if settings is None:
        return []
    return [settings.retry_delay_seconds * 2**number for number in range(min(settings.retries, _MOST_RETRIES))]


def _with_retries(one: Any, folder: Path | None) -> Any:
    pauses = delays(flows_settings(folder))
    return one.with_options(retries=len(pauses), retry_delay_seconds=pauses) if pauses else one
