"""What a `kill -9` in the wrong microsecond leaves of DVC: its list of who reads and writes what, cut off."""

from __future__ import annotations

import json
import time
from pathlib import Path

_LIST = Path(".dvc/tmp/rwlock")
_PAUSE_SECONDS = 0.5


def forget_cut_off(root: Path) -> bool:
    """Removes DVC's list if it was cut off while it was written; DVC would refuse every command until somebody does.

    Entries of dead processes in a whole list DVC removes itself. What is lost of a broken one is who works now: nobody
    of this project, where the caller holds the run's lock.

    Args:
        root: of the repository.

    Returns:
        Whether there was one.
    """
    path = root / _LIST
    for pause in (_PAUSE_SECONDS, 0.0):  # another DVC may just be writing it
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
