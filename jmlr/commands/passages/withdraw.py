"""`jmlr withdraw`: a guideline must not be read any more. Which versions contain it, and which answers depend on it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr.console import CONSOLE
from jmlr.data.withdrawal import WITHDRAWN_FILE, Entry, append, read, standing
from jmlr.errors import JmlrError
from jmlr.evaluation.notation import arm_label
from jmlr.evaluation.reliance.answers import Leaning
from jmlr.files import write_json
from jmlr.registry.version.lookup import CHAMPION, all_versions
from jmlr.registry.withdrawal import versions as withdrawal
from jmlr.registry.withdrawal.versions import Holder, Impact, assess
from jmlr.registry.withdrawal.withdrawable import Withdrawable
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.provenance import who
from jmlr.tracking.store import connect

_SHOWN = 10


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        what: an id of a passage or document, or a source's name.
        reason: written into the log.
        kind: `passage_id`, `document_id`, `source`, or empty if the name is of one kind only.
        dry_run: show, write nothing into the log and the registry.
        undo: take an earlier withdrawal back.
    """

    what: str
    reason: str = ""
    kind: str = ""
    dry_run: bool = False
    undo: bool = False


def run(settings: Settings, asked: Asked) -> None:
    """Shows what a withdrawal concerns, writes the entry, tags the versions; writes build/withdrawal.json.

    What is withdrawn already is shown, not written again, and the versions' tags are updated.

    Raises:
        DataError: if nothing has this name, or withdrawn.yaml is broken.
        JmlrError: if there is no reason.
        MissingResource: if the registry does not answer; then nothing is written.
    """
    if not (asked.reason.strip() or asked.dry_run):
        raise JmlrError("no reason", expected="why, in words", where="--reason", next_step='add --reason "..."')
    log, client = read(), connect()
    versions = all_versions(client, settings.track.registered_model)
    kind, name = Withdrawable([layout.PASSAGES, *withdrawal.tables(client, versions)], log).find(asked.what, asked.kind)
    entry = Entry.model_validate(
        {
            kind: name,
            "reason": asked.reason.strip() or "not given",
            "date": datetime.date.today(),
            "who": who(),
            "restored": asked.undo,
        }
    )
    found = assess(entry, client, versions, layout.PASSAGES, layout.EVALUATE)
    earlier = next((one for one in standing(log).entries if one.names == entry.names), None)
    _show(found, earlier)
    write_json(layout.WITHDRAWAL, found.as_json())
    if asked.dry_run:
        CONSOLE.print("Dry run: nothing was withdrawn.")
        return
    if earlier is None or asked.undo:
        append(entry)
    withdrawal.mark(client, versions, standing(read()))
    CONSOLE.print(
        f"{'Allowed again' if asked.undo else 'Withdrawn'}, in {WITHDRAWN_FILE}; next: git add {WITHDRAWN_FILE}, then "
        "python -m flows.refresh makes a version of the same models without what is withdrawn (docs/withdrawal.md)"
    )


def _show(found: Impact, earlier: Entry | None) -> None:
    """Prints the passages, the versions that contain them, and how the evaluated answers depend on them."""
    if earlier is not None:
        CONSOLE.print(f"{earlier} is withdrawn since {earlier.date} by {earlier.who}: {earlier.reason}")
    CONSOLE.print(f"{found.entry}: {_counted(len(found.passages), 'passage')}")
    CONSOLE.print(f"  {_some(found.passages)}")
    CONSOLE.print(_versions(found.holders) if found.holders else "No version is registered.")
    for one in found.holders:
        if one.passages and CHAMPION in one.aliases:
            CONSOLE.print(
                f"Version {one.version} is the champion and contains it: it is served until jmlr rollback "
                "--to N takes a version without it, or another is promoted."
            )
    if found.leanings:
        _show_answers(found.leanings)
    else:
        CONSOLE.print("build/evaluate has no evaluation with evidence: which answers depend on it is not known.")


def _versions(holders: Sequence[Holder]) -> Table:
    table = Table(title="registered versions", title_justify="left", box=SIMPLE_HEAD)
    for name in ("version", "aliases", "passages of it"):
        table.add_column(name, justify="left" if name == "aliases" else "right")
    for one in holders:
        held = "files gone, not known" if one.passages is None else f"{one.passages:,}" if one.passages else "-"
        table.add_row(str(one.version), ", ".join(one.aliases), held)
    return table


def _show_answers(leanings: Sequence[Leaning]) -> None:
    table = Table(title="evaluated answers of build/evaluate that depend on it", title_justify="left", box=SIMPLE_HEAD)
    for name in ("arm", "questions", "read it", "rest on it", "change", "right now"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for one in leanings:
        counts = (one.questions, *map(len, (one.read, one.supported, one.flips, one.right_lost)))
        table.add_row(arm_label(one.arm), *(f"{count:,}" for count in counts))
    CONSOLE.print(table)
    for one in leanings:
        if one.flips:
            CONSOLE.print(f"  {arm_label(one.arm)}, answers that change: {_some(one.flips)}")
        if one.several:
            CONSOLE.print(f"  {arm_label(one.arm)}: {_counted(len(one.several), 'question')} read several of them")
    CONSOLE.print(
        "Rest on it: without it the answer loses most. Change: another answer without it; right now: of these. This is "
        "an estimate: each passage was left out alone, and none was read in its place. A refresh measures it."
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
