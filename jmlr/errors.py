"""Errors that say what was found, what was expected, where, and the next command.

The command line prints them without a traceback and ends with their exit status: 2, where nothing else is said.
"""

from __future__ import annotations

from typing import Any


class JmlrError(Exception):
    """Base of all errors a user can mend.

    Args:
        found: what is wrong, as it was found.
        expected: what would have been right.
        where: the file, with the row or key.
        next_step: the command or action that mends it.

    Attributes:
        exit_status: of a command that ends with this error.

    >>> print(JmlrError("no rows", expected="at least 1", where="data/q.jsonl", next_step="jmlr starter data"))
    data/q.jsonl: no rows; expected at least 1.
      next: jmlr starter data
    """

    exit_status = 2

    def __init__(self, found: str, *, expected: str = "", where: str = "", next_step: str = "") -> None:
        self.found, self.expected, self.where, self.next_step = found, expected, where, next_step
        message = f"{where}: {found}" if where else found
        if expected:
            message += f"; expected {expected}"
        message += "."
        if next_step:
            message += f"\n  next: {next_step}"
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """How the error travels between processes."""
        return _again, (type(self), self.found, self.expected, self.where, self.next_step)


def _again(kind: type[JmlrError], found: str, expected: str, where: str, next_step: str) -> JmlrError:
    return kind(found, expected=expected, where=where, next_step=next_step)


class ConfigError(JmlrError):
    """params.yaml has unknown, missing or contradictory keys."""


class DataError(JmlrError):
    """A raw file or a table is broken."""


class ValidationFailed(JmlrError):
    """A critical expectation about the data does not hold."""


class FingerprintMismatch(JmlrError):
    """An index, a retriever and passages do not belong together."""


class MissingResource(JmlrError):
    """A model, device, compiler or package is not at hand."""


class ProtocolMismatch(JmlrError):
    """Two results were not measured in the same way."""


class UntrustedModel(JmlrError):
    """A checkpoint would run code of its own, or load another one."""


class TrainingFailed(JmlrError):
    """Training cannot go on, or did not do what it must."""


class BudgetReached(TrainingFailed):
    """Training has used the device hours it was given; what it did is saved."""


class RestoreError(JmlrError):
    """Code, data or settings of a version cannot be brought back."""


class RegistryError(JmlrError):
    """The registry refused, or a version is not what it should be."""


class GateFailed(RegistryError):
    """A version did not pass the gates; the champion stays."""

    exit_status = 3


class WaitingForApproval(RegistryError):
    """A version passed the gates, and a person has to approve it."""

    exit_status = 4
