"""The outcome of an expectation, in one batch and over all batches of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

_SHOWN_CHARACTERS = 160
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Outcome:
    """What one expectation found.

    Attributes:
        table: passages, questions or drift.
        name: the expectation's name.
        severity: critical or warning.
        success: whether it holds.
        expectation: what is expected, in Great Expectations' words.
        unexpected_count: rows that break it; 0 where it is about the whole table.
        observed: what was found, where it is about the whole table.
        rows: the first rows that break it, by key and column, long values cut.
        checked: rows that were looked at.
        mostly: share of them (0 to 1) that must hold.
    """

    table: str
    name: str
    severity: str
    success: bool
    expectation: str
    unexpected_count: int
    observed: str
    rows: tuple[dict[str, str], ...]
    checked: int = 0
    mostly: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """The outcome for report.json."""
        return asdict(self)


def shorten(value: object) -> str:
    """The value as text, cut to 160 characters.

    >>> len(shorten("x" * 500)), shorten(3)
    (160, '3')
    """
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def merged(parts: Iterable[list[Outcome]], shown_rows: int) -> list[Outcome]:
    """The outcomes of a table from those of its batches: counts are added, the first rows are kept.

    Every batch must pass; if a share of the rows is enough, it is the share over all batches.

    Args:
        parts: of each batch the outcomes of the same expectations in the same order; taken one after another.
        shown_rows: how many rows an outcome shows.
    """
    together: list[Outcome] = []
    for part in parts:
        if not together:
            together = part
            continue
        together = [
            replace(
                so_far,
                unexpected_count=so_far.unexpected_count + here.unexpected_count,
                observed=here.observed if so_far.success else so_far.observed,
                rows=(so_far.rows + here.rows)[:shown_rows],
                checked=so_far.checked + here.checked,
                success=so_far.success and here.success,
            )
            for so_far, here in zip(together, part, strict=True)
        ]
    return [
        replace(one, success=one.unexpected_count <= (1 - one.mostly) * one.checked + _ROUNDING)
        if one.mostly < 1
        else one
        for one in together
    ]
