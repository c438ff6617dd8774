"""What the flows ask DVC about the repository, and the repair of what a kill leaves of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jmlr.errors import DataError

DVC = (sys.executable, "-m", "dvc")

_LIST = Path(".dvc/tmp/rwlock")
_PAUSE_SECONDS = 0.5
_TIMEOUT_SECONDS = 600


def status(root: Path, targets: Sequence[str] = ()) -> dict[str, Any]:
    """What `dvc status --json` finds changed: data, code, settings and outputs, by stage or file; empty if nothing.

    Args:
        root: of the repository.
        targets: stages or .dvc files; everything if empty.

    Raises:
        DataError: if DVC gives no answer, for example because another process holds its lock.
    """
    words = ["status", "--json", *targets]
    asked_of = next((target for target in targets if target.endswith(".dvc")), "dvc.yaml")
    where, next_step = str(root / asked_of), " ".join(["dvc status", *targets])
    try:
        done = subprocess.run(
            [*DVC, *words],
            cwd=root,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout or "{}")
            return found
        said = done.stderr.strip()[-500:]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        said = str(error)
    raise DataError(f"DVC cannot tell its state: {said}", where=where, next_step=next_step)


def is_up_to_date(root: Path) -> bool:
    """Whether `dvc repro` would run nothing; asked once before the stages, since DVC takes a second or two to start.

    One stale stage makes it False, because only `dvc repro` knows which stages follow from it. It is also False if DVC
    gives no answer; `dvc repro` then says what is wrong.

    Args:
        root: of the repository.
    """
    try:
        return status(root) == {}
    except DataError:
        return False


def forget_cut_off(root: Path) -> bool:
    """Removes DVC's list if it was cut off while being written; until then DVC refuses every command.

    DVC itself removes entries of dead processes from a whole list. A broken list loses only who works now, which is
    nobody in this project while the caller holds the run's lock.

    Args:
        root: of the repository.

    Returns:
        Whether there was one.
    """
    path = root / _LIST
    for pause in (_PAUSE_SECONDS, 0.0):  # another DVC may be writing it right now
        if not path.exists() or _is_whole(path):
            return False
        time.sleep(pause)
    path.unlink(missing_ok=True)
    return True


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    except OSError:
        return True
    return True
