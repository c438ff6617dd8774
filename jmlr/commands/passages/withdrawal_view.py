"""What `jmlr withdraw` prints of a withdrawal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr.console import CONSOLE
from jmlr.data.withdrawal import Entry
from jmlr.evaluation.notation import arm_label
from jmlr.evaluation.reliance.answers import Leaning
from jmlr.registry.withdrawal.impact import Holder, Impact

_SHOWN = 10


def show(found: Impact, earlier: Entry | None) -> None:
    """Prints the passages, the versions that hold them, and how the evaluated answers lean on them.

    Args:
        found: what the withdrawal concerns.
        earlier: the entry by which it is withdrawn already, if it is.
    """
    if earlier is not None:
        CONSOLE.print(f"{earlier} is withdrawn since {earlier.date} by {earlier.who}: ", end="")
        CONSOLE.print(earlier.reason)
    CONSOLE.print(f"{found.entry}: {_counted(len(found.passages), 'passage')}")
    CONSOLE.print(f"  {_some(found.passages)}")
    CONSOLE.print(_versions(found.holders) if found.holders else "No version is registered.")
    for one in found.holders:
        if one.passages and "champion" in one.aliases:
            CONSOLE.print(
                f"Version {one.version} is the champion and holds it: it is served until jmlr rollback "
                "--to N takes one without it, or another is promoted."
            )
    if found.leanings:
        CONSOLE.print(_answers(found.leanings))
        _show_changes(found.leanings)
    else:
        CONSOLE.print("No evaluation with evidence in build/evaluate: whose answers lean on it is not known.")


def _versions(holders: Sequence[Holder]) -> Table:
    table = Table(title="registered versions", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("version", justify="right")
    table.add_column("aliases")
    table.add_column("holds, passages", justify="right")
    for one in holders:
        held = "files gone, not known" if one.passages is None else f"{one.passages:,}" if one.passages else "-"
        table.add_row(str(one.version), ", ".join(one.aliases), held)
    return table


def _answers(leanings: Sequence[Leaning]) -> Table:
    table = Table(title="evaluated answers of build/evaluate that lean on it", title_justify="left", box=SIMPLE_HEAD)
    for name in ("arm", "questions", "read it", "rest on it", "change", "right now"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for one in leanings:
        counts = (one.questions, *map(len, (one.read, one.supported, one.flips, one.right_lost)))
        table.add_row(arm_label(one.arm), *(f"{count:,}" for count in counts))
    return table


def _show_changes(leanings: Sequence[Leaning]) -> None:
    for one in leanings:
        if one.flips:
            CONSOLE.print(f"  {arm_label(one.arm)}, answers that change: {_some(one.flips)}")
        if one.several:
            CONSOLE.print(f"  {arm_label(one.arm)}: {_counted(len(one.several), 'question')} read several of them")
    CONSOLE.print(
        "Rest on it: its loss costs the answer most. Change: another answer without it; right now: of these. An "
        "estimate: each passage was left out alone, and none was read in its place. A refresh measures it."
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more (build/withdrawal.json)" if more > 0 else "")


def _counted(count: int, what: str) -> str:
    """A number with its noun.

    >>> _counted(1, "passage"), _counted(1200, "passage")
    ('1 passage', '1,200 passages')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
