"""What trainings left in build/train: finished arms, checkpoints, and work that belongs to another training."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jmlr.console import CONSOLE
from jmlr.files import read_json, write_json
from jmlr.settings.training import ARMS
from jmlr.stages import layout
from jmlr.training import identity
from jmlr.training.identity import Identity

ANEW = f"rm -r {layout.TRAIN}, then dvc repro train"
MARKER = layout.TRAIN / "training.json"
"""Says which training is under way; gone once it is finished."""


def checkpoints(arm: str) -> Path:
    """Folder of an arm's checkpoints."""
    return layout.arm_folder(arm) / "checkpoints" / arm


def done_file(arm: str) -> Path:
    """Says that an arm is finished, and what came of it."""
    return layout.TRAIN_ARMS / arm / "done.json"


def finished(arms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The records of the arms that earlier tries of the same training finished."""
    return {arm: record for arm in arms if (record := read_json(done_file(arm), ANEW))}


def move_others_aside(made_of: Identity, arms: Sequence[str]) -> None:
    """Moves out of build/train what a finished training, another one, or an arm that is no longer asked for left.

    Args:
        made_of: the training that begins or goes on.
        arms: that it trains.
    """
    before = read_json(MARKER, ANEW)
    if before.get("identity") == made_of:
        stray = [arm for arm in ARMS if arm not in arms]
        _move_aside([path for arm in stray for path in _files_of(arm)], f"{' and '.join(stray)}, not in train.arms,")
        return
    if not before:
        _move_aside([layout.TRAIN], "the training that was finished before", "finished")
    elif "identity" in before:
        _move_aside([layout.TRAIN], f"another training ({identity.difference(before['identity'], made_of)} changed)")
    else:
        _move_aside([layout.TRAIN], "a training of an older release")
    write_json(MARKER, {"identity": made_of})


def _files_of(arm: str) -> list[Path]:
    """What an arm may have left in build/train."""
    own = [layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, checkpoints(arm)]
    return [layout.TRAIN_ARMS / arm, *(own if arm == "jmlr" else [])]


def _move_aside(paths: Sequence[Path], of_what: str, name: str = "") -> None:
    """Moves what there is of `paths`, in build/train, beside it, out of DVC's sight, and says so.

    Without a name it is moved to a place of its own; of one name only the newest is kept.
    """
    there = [path for path in paths if path.exists() and any(path.iterdir())]
    if not there:
        return
    place = layout.TRAIN_ASIDE / (name or time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}")
    shutil.rmtree(place, ignore_errors=True)
    for path in there:
        target = place / path.relative_to(layout.TRAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    CONSOLE.print(f"what {of_what} left in {layout.TRAIN} was moved to {place}; remove it if you do not need it")
