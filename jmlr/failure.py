"""How a command failed, told to whoever started it: an exit status says too little, and DVC hides it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from jmlr.errors import JmlrError
from jmlr.files import write_json

VARIABLE = "JMLR_FAILURE_FILE"

_PASSING = {
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH),
    *(errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE, errno.ENOSPC, errno.EDQUOT),
}
"""What networks and disks give for a while; under a broken file lies another cause."""


@dataclass(frozen=True)
class Failure:
    """An error that ended a command.

    Attributes:
        error: the name of its class.
        of_user: whether it is one that a user can mend (a JmlrError).
        may_pass: whether the same again may go well.
        message: its text.
    """

    error: str
    of_user: bool
    may_pass: bool
    message: str


def may_pass(error: BaseException | None) -> bool:
    """Whether the same again may go well: after an error of network or disk, not where a file or a setting is wrong.

    >>> from jmlr.errors import DataError
    >>> may_pass(OSError("the share is away")), may_pass(FileNotFoundError(2, "no such file")), may_pass(DataError("x"))
    (True, False, False)
    """
    while error is not None:
        # requests, httpx and others raise an OSError without a number of their own.
        if isinstance(error, OSError) and (error.errno is None or error.errno in _PASSING):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


@contextmanager
def noted() -> Iterator[None]:
    """Writes the error that leaves the block to the file that JMLR_FAILURE_FILE names, if it names one."""
    try:
        yield
    except Exception as error:
        if place := os.environ.get(VARIABLE):
            note = Failure(type(error).__name__, isinstance(error, JmlrError), may_pass(error), str(error))
            with suppress(OSError):  # the error itself is what counts
                write_json(Path(place), asdict(note))
        raise


def read(path: Path) -> Failure | None:
    """The failure noted in `path`; None if there is none, or it is not whole."""
    try:
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
