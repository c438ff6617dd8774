"""Why a request is not answered: what was found, what was expected, where, and the HTTP status that says so."""

from __future__ import annotations

from typing import ClassVar

from jmlr.errors import JmlrError


class Refused(JmlrError):
    """A request that cannot be answered as it is."""

    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None

    def as_json(self) -> dict[str, dict[str, str]]:
        """The body of the answer: the parts that are not empty.

        >>> Refused("1 option", expected="2 to 10", where="options").as_json()
        {'error': {'found': '1 option', 'expected': '2 to 10', 'where': 'options'}}
        """
        parts = {"found": self.found, "expected": self.expected, "where": self.where, "next_step": self.next_step}
        return {"error": {name: text for name, text in parts.items() if text}}


class TooSlow(Refused):
    """The request did not come whole in time."""

    status = 408


class TooLarge(Refused):
    """The request, or a part of it, is over its limit."""

    status = 413


class WrongKind(Refused):
    """The request's content type is not the one expected."""

    status = 415


class Failed(Refused):
    """The model failed; only the log has its message, which may contain parts of the question."""

    status = 500


class Unavailable(Refused):
    """The server cannot take the question now; the same question may be asked again later."""

    status = 503

    def __init__(self, found: str, retry_after_seconds: int) -> None:
        super().__init__(found, next_step=f"ask again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds
