"""Files written whole or not at all."""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jmlr.errors import MissingResource


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` in one rename at the end, or goes away on an error.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "made" / "note.txt") as unfinished:
    ...     _ = unfinished.write_text("whole")
    >>> [file.name for file in (folder / "made").iterdir()]
    ['note.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        _name_full_disk(error, path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` to fill; it becomes `folder`, in an old one's place, or goes away on an error.

    What a process of this machine that was killed left unfinished of `folder` goes away too.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "made"
    >>> with making(place) as unfinished:
    ...     _ = (unfinished / "note.txt").write_text("whole")
    >>> [file.name for file in place.iterdir()]
    ['note.txt']
    """
    # The name tells machine and process: others may be making the same folder in a place that machines share.
    begins = f".{folder.name}.{socket.gethostname()}-"
    unfinished = folder.with_name(f"{begins}{os.getpid()}.unfinished")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    for left in [unfinished, *unfinished.parent.glob(f"{glob.escape(begins)}*.unfinished")]:
        if left == unfinished or not is_running(left.name.removeprefix(begins).removesuffix(".unfinished")):
            shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except OSError as error:
        _name_full_disk(error, folder)
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def is_running(process_id: str) -> bool:
    """Whether a process of this machine runs; True where that is not told."""
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def _name_full_disk(error: OSError, place: Path) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise MissingResource(
            "no space left to write it",
            expected="room on the disk",
            where=str(place),
            next_step=f"free space (`df -h {place.parent}`), then run the command again; nothing half-written is left",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, line ends as they are, whole or not at all; makes the folder if there is none."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object's content; nothing where there is no such file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write_json(path: Path, value: object, sort_keys: bool = False) -> None:
    """Writes `value` as indented JSON that ends with a newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=sort_keys) + "\n")


def link(source: Path, target: Path) -> None:
    """Makes `target` another name of `source`, a file or a folder: hard links, copies where there can be none.

    Both names then mean the same bytes, so it is for files that are replaced and never written into.
    """
    if source.is_dir():
        shutil.copytree(source, target, copy_function=lambda file, place: link(Path(file), Path(place)))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
