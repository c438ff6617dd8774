"""Generations of an index: each in a folder of its own, one of them the current one, exchanged by one rename."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jmlr.errors import MissingResource
from jmlr.files import alone, sync, write_text

POINTER = "CURRENT"
REMEDY = "dvc repro index (dvc repro train for the index beside trained weights)"

_PREFIX = "generation-"


def current(folder: Path) -> Path:
    """The folder of the current generation of the index in `folder`.

    Raises:
        MissingResource: if there is no index.
    """
    pointer = folder / POINTER
    name = pointer.read_text(encoding="utf-8").strip() if pointer.exists() else ""
    if not name.startswith(_PREFIX) or "/" in name or not (folder / name).is_dir():
        raise MissingResource(
            "no index", expected=f"{POINTER} that names a generation beside it", where=str(folder), next_step=REMEDY
        )
    return folder / name


def name(number: int, digest: str) -> str:
    """The folder name of a generation: its number and the beginning of the hash of what it is made of.

    >>> name(2, "3fa9c2d1aa")
    'generation-2-3fa9c2d1'
    """
    return f"{_PREFIX}{number}-{digest[:8]}"


def swap_in(unfinished: Path, folder: Path, name: str) -> None:
    """Makes the finished folder the current generation; the rename of the pointer is the one moment of change.

    Older generations are removed afterwards. Processes that have one open keep reading it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)  # left by a build that was cut off before it moved the pointer
    sync(unfinished)
    unfinished.rename(target)
    sync(folder, deep=False)
    write_text(folder / POINTER, name + "\n")
    for old in folder.glob(f"{_PREFIX}*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """The folder beside `folder` in which its next generation is made; it stays after a failure, to go on from.

    Raises:
        JmlrError: if another process is making it.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    with alone(folder.with_name(f".{folder.name}.lock"), "builds this index"):
        unfinished.mkdir(parents=True, exist_ok=True)
        yield unfinished
        shutil.rmtree(unfinished, ignore_errors=True)
