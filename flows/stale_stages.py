"""Asks DVC once, before the stages, whether anything is to be done; DVC takes a second or two to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Completed

_TIMEOUT_SECONDS = 600


def is_up_to_date(folder: Path | None = None) -> bool:
    """Whether `dvc repro` would run nothing: DVC finds no data, code, setting or output changed.

    One stale stage makes it False, because only `dvc repro` knows which stages follow from it. It is also False if DVC
    gives no answer, for example because another process holds its lock; `dvc repro` then says what is wrong.

    Args:
        folder: the repository's root; the working folder if None.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "status", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return done.returncode == 0 and json.loads(done.stdout) == {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False


@task(name="stage", task_run_name="{stage}", cache_policy=None, persist_result=False)
def mark_cached(stage: str) -> State[Any]:
    """End at once in the state `Cached`, for a stage that DVC found up to date.

    Args:
        stage: its name in dvc.yaml.
    """
    return Completed(name="Cached", message=f"nothing that {stage} reads has changed (dvc status)")
