"""Repairs what a `kill -9` at the wrong moment leaves: DVC's list of readers and writers, cut off."""

from __future__ import annotations

import json
import time
from pathlib import Path

_LIST = Path(".dvc/tmp/rwlock")
_PAUSE_SECONDS = 0.5


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
