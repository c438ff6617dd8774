"""All stages in the order of dvc.yaml, then the registry: `python -m flows.pipeline`."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from prefect import flow

from flows.stage_task import run_command, run_stage
from flows.stale_stages import is_up_to_date, mark_cached
from flows.subprocess_lines import CommandFailed
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
        CommandFailed: if a stage fails; later ones do not run.
    """
    stages, nothing_to_do = stage_names(folder or Path.cwd()), is_up_to_date(folder)
    for stage in stages:
        if nothing_to_do:
            mark_cached(stage)
        else:
            run_stage(stage, folder)


@flow(name="jmlr-pipeline", log_prints=True)
def pipeline(folder: Path | None = None, also_register: bool = True) -> None:
    """Bring every stage up to date, then register the trained pair.

    Args:
        folder: the repository's root; the working folder if None.
        also_register: whether the result becomes a version of the registry.

    Raises:
        CommandFailed: if a stage fails; later ones do not run.
    """
    bring_up_to_date(folder)
    if also_register:
        run_command("register", folder)


def main() -> None:
    """Run the flow; a failed stage ends with exit status 2, without a traceback."""
    try:
        pipeline()
    except (CommandFailed, ConfigError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
