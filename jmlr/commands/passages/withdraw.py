"""`jmlr withdraw`: a guideline must not be read any more. Who holds it, which answers lean on it, and the entry."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from jmlr.commands.passages.withdrawal_view import show
from jmlr.console import CONSOLE
from jmlr.data.withdrawal import WITHDRAWN_FILE, Entry, append, read, standing
from jmlr.errors import JmlrError
from jmlr.files import write_json
from jmlr.registry.withdrawal import versions as withdrawal
from jmlr.registry.withdrawal.impact import assess
from jmlr.registry.withdrawal.withdrawable import Withdrawable
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.provenance import who
from jmlr.tracking.store import connect


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        what: an id of a passage or document, or a source's name.
        reason: written into the log.
        kind: `passage_id`, `document_id`, `source`, or empty where the name alone tells.
        dry_run: show, write nothing into the log and the registry.
        undo: take an earlier withdrawal back.
    """

    what: str
    reason: str = ""
    kind: str = ""
    dry_run: bool = False
    undo: bool = False


def run(settings: Settings, asked: Asked) -> None:
    """Shows who holds it and which answers lean on it, writes the entry, tags the versions; build/withdrawal.json.

    What is withdrawn already is not written again, but shown, and the versions' tags are brought up to date.

    Raises:
        DataError: if nothing has this name, or withdrawn.yaml is broken.
        JmlrError: if there is no reason.
        MissingResource: if the registry does not answer; then nothing is written.
    """
    if not (asked.reason.strip() or asked.dry_run):
        raise JmlrError("no reason", expected="why, in words", where="--reason", next_step='add --reason "..."')
    log, client = read(), connect()
    versions = withdrawal.all_versions(client, settings.track.registered_model)
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
    show(found, earlier)
    write_json(layout.WITHDRAWAL, found.as_json())
    if asked.dry_run:
        CONSOLE.print("Dry run: nothing was withdrawn.")
        return
    if earlier is None or asked.undo:
        append(entry)
    withdrawal.mark(client, versions, standing(read()))
    _tell_next(asked)


def _tell_next(asked: Asked) -> None:
    CONSOLE.print(
        f"{'Allowed again' if asked.undo else 'Withdrawn'}, in {WITHDRAWN_FILE}; next: git add {WITHDRAWN_FILE}, then "
        "python -m flows.refresh makes a version of the same models without what is withdrawn (docs/withdrawal.md)"
    )
