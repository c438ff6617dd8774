"""All stages in the order of dvc.yaml, then the registry: `python -m flows.pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.command import run_and_exit
from flows.dvc import is_up_to_date
from flows.ending import parser
from flows.named_states import ACTIONABLE, failed
from flows.notifications import tell
from flows.run_lock import only_run
from flows.stage_task import flows_settings, mark_cached, run_command, run_stage
from jmlr.errors import ConfigError


def stage_names(folder: Path) -> list[str]:
    """The stages of dvc.yaml, in its order.

    Raises:
        ConfigError: if there is no dvc.yaml.
    """
    path = folder / "dvc.yaml"
    if not path.exists():
        raise ConfigError("no such file", where=str(path), next_step="run flows in the repository's root")
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"])


def bring_up_to_date(folder: Path | None) -> None:
    """Every stage, one at a time: DVC locks the repository. Where nothing has changed, DVC is asked only once.

    Raises:
        ConfigError: if there is no dvc.yaml.
        JmlrError: if a stage fails; later ones do not run.
    """
    stages, nothing_to_do = stage_names(folder or Path.cwd()), is_up_to_date(folder or Path.cwd())
    for stage in stages:
        if nothing_to_do:
            mark_cached(stage)
        else:
            run_stage(stage, folder)


@flow(name="jmlr-pipeline", log_prints=True, on_failure=[tell], on_crashed=[tell])
def pipeline(folder: Path | None = None, also_register: bool = True) -> State[Any]:
    """Bring every stage up to date, then register the trained pair; one run at a time in a repository.

    A failure is the flow's state, named by its cause, and raised where the flow is called.

    Args:
        folder: the repository's root; the working folder if None.
        also_register: whether the result becomes a version of the registry.
    """
    try:
        settings = flows_settings(folder)
        wait = settings is None or settings.when_running == "wait"
        with only_run(folder or Path.cwd(), "jmlr-pipeline", wait):
            bring_up_to_date(folder)
            if also_register:
                run_command("register", folder)
    except ACTIONABLE as error:
        return failed(error)
    return Completed()


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; exit status 0 done, 2 an error."""
    parser("pipeline", __doc__).parse_args(words)
    run_and_exit(pipeline)


if __name__ == "__main__":
    main()
