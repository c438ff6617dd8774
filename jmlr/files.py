"""Files written whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import json
import os
import secrets
import shutil
import socket
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from jmlr.errors import DataError, JmlrError, MissingResource

_UNFINISHED, _OLD = ".unfinished", ".old"
_LONGEST_NAME_BYTES = 120


@contextmanager
def replacing(path: Path, is_folder: bool = False) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` in one rename at the end, or goes away on an error.

    Each writer has a name of its own: of several that write at once, one is last, and its file is whole. Once this
    returns, the file outlives a loss of power. What a killed process of this machine left goes away too.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "made" / "note.txt") as unfinished:
    ...     _ = unfinished.write_text("whole")
    >>> [file.name for file in (folder / "made").iterdir()]
    ['note.txt']
    """
    unfinished = _own_name(path)
    old = unfinished.with_suffix(_OLD)
    try:
        if is_folder:
            unfinished.mkdir()
        yield unfinished
        sync(unfinished)
        _put(unfinished, path, old)
        sync(path.parent, deep=False)
    except OSError as error:
        _name_full_disk(error, path)
        raise
    finally:
        _settle(unfinished, path)
        _settle(old, path)


def making(folder: Path) -> AbstractContextManager[Path]:
    """As `replacing`, an empty folder beside `folder` to fill: at every moment there is the old one or the new one.

    Where the disk cannot exchange two folders, a kill between two renames leaves the old one beside, and the next call
    brings it back.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "made"
    >>> with making(place) as unfinished:
    ...     _ = (unfinished / "note.txt").write_text("whole")
    >>> [file.name for file in place.iterdir()]
    ['note.txt']
    """
    return replacing(folder, is_folder=True)


def _own_name(path: Path) -> Path:
    """A hidden name beside `path` for this writer alone; the folder is made, and what killed writers left is settled.

    It tells machine and process: others may be writing the same in a place that machines share.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file's name has at most 255 bytes.
    short = path.name if len(os.fsencode(path.name)) <= _LONGEST_NAME_BYTES else hex(zlib.crc32(os.fsencode(path.name)))
    begins = f".{short}.{socket.gethostname()}-"
    for left in path.parent.glob(f"{glob.escape(begins)}*"):
        if left.suffix in (_UNFINISHED, _OLD) and not is_running(left.name.removeprefix(begins).split("-")[0]):
            _settle(left, path)
    return path.with_name(f"{begins}{os.getpid()}-{secrets.token_hex(4)}{_UNFINISHED}")


def _settle(left: Path, path: Path) -> None:
    """Removes what a writer left beside `path`; an old one that was moved away comes back if there is no other."""
    if left.suffix == _OLD and left.exists() and not path.exists():
        left.rename(path)
    elif left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _put(made: Path, folder: Path, old: Path) -> None:
    """Renames `made` to `folder`; a folder that was there is called `made` or `old` afterwards."""
    while True:
        try:
            os.rename(made, folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        if _exchange(made, folder):
            return
        with suppress(FileNotFoundError):
            os.rename(folder, old)


def _exchange(one: Path, other: Path) -> bool:
    """Whether two names could be exchanged in one step; Linux can on most disks."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return exchange is not None and exchange(here, os.fsencode(one), here, os.fsencode(other), flag) == 0


def sync(place: Path, deep: bool = True) -> None:
    """Brings a file, or a folder with all that is in it, to the disk, so that it outlives a loss of power."""
    for one in [*(place.rglob("*") if deep and place.is_dir() else ()), place]:
        if not one.is_symlink():
            descriptor = os.open(one, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks cannot, for folders
                    raise
            finally:
                os.close(descriptor)


@contextmanager
def alone(path: Path, what: str, wait: bool = False) -> Iterator[None]:
    """Holds the lock file `path` within the block; it goes away afterwards, and with this process, however that ends.

    Args:
        path: of the lock.
        what: what another process does then, for the message.
        wait: for its end, instead of being refused.

    Raises:
        JmlrError: if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        held = path.open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if path.exists() and os.path.samestat(os.fstat(held.fileno()), path.stat()):
                break
        except BlockingIOError as error:
            held.close()
            raise JmlrError(
                f"another process {what}",
                expected="one at a time",
                where=str(path),
                next_step="wait for it, or stop it",
            ) from error
        held.close()  # its last holder has just removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        held.close()


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


@contextmanager
def reading(path: Path, next_step: str) -> Iterator[None]:
    """Within the block a file that jmlr made is read; if it is not as it was made, the error names it.

    Args:
        path: of the file.
        next_step: the command that makes it again.

    Raises:
        DataError: if the file is missing, damaged or lacks something.
    """
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        told = str(error).splitlines() or [""]
        missing = isinstance(error, FileNotFoundError)
        raise DataError(
            "missing" if missing else f"damaged ({type(error).__name__}: {told[0]})",
            expected="the file as jmlr wrote it",
            where=str(path),
            next_step=next_step,
        ) from error


def read_json(path: Path, next_step: str) -> dict[str, Any]:
    """The JSON object in a file that jmlr made; nothing where there is no such file.

    Raises:
        DataError: if it is damaged; `next_step` makes it again.
    """
    if not path.exists():
        return {}
    with reading(path, next_step):
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError(f"a {type(found).__name__}, not an object")
    return found


def write_json(path: Path, value: object, sort_keys: bool = False) -> None:
    """Writes `value` as indented JSON that ends with a newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=sort_keys) + "\n")


def read_lines(path: Path, mend: bool = True) -> list[bytes]:
    """The lines of a file that is only ever appended to; none where there is no such file.

    A last line that a killed process left unfinished is not one of them.

    Args:
        path: of the file.
        mend: takes such a line out of the file; False where another process may be writing it just now.
    """
    whole, _, unfinished = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
    if unfinished and mend:
        os.truncate(path, len(whole) + bool(whole))
    return whole.split(b"\n") if whole else []


def read_json_lines(path: Path, next_step: str, mend: bool = True) -> list[dict[str, Any]]:
    """The objects in the lines of a file that jmlr appends to, as `read_lines` finds them.

    Raises:
        DataError: if a line is damaged.
    """
    with reading(path, next_step):
        return [dict(json.loads(line)) for line in read_lines(path, mend)]


def append_json(path: Path, rows: Iterable[object], is_promised: bool = False) -> None:
    """Appends a line of JSON for each row, all at once; makes the folder if there is none.

    Args:
        path: of the file.
        rows: what JSON can write.
        is_promised: whether the lines must outlive a loss of power once this returns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("".join(f"{json.dumps(row)}\n" for row in rows))
    if is_promised:
        sync(path)


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
