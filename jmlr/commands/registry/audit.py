"""`jmlr audit`: who changed the champion, when, and by which gates."""

from __future__ import annotations

import json
from typing import Any

from jmlr.console import CONSOLE
from jmlr.registry.promotion.audit import INTENTS
from jmlr.registry.promotion.champion import Registry
from jmlr.settings import Settings
from jmlr.tracking.store import connect


def run(settings: Settings, as_json: bool) -> None:
    """Prints the audit, oldest first, and checks that store and file have the same entries.

    `as_json`: one entry a line, whole.

    Raises:
        RegistryError: if entries were changed or are missing.
    """
    registry = Registry(connect(), settings.track.registered_model)
    champion, entries = registry.champion(), registry.audit.entries()
    registry.audit.bring_file_up_to_date()
    if as_json:
        for entry in entries:
            CONSOLE.print(json.dumps(entry))
        return
    if not entries:
        CONSOLE.print(f"nobody has promoted {registry.model} yet; next: jmlr promote")
        return
    CONSOLE.print("\n".join(lines(entries)))
    is_open = entries[-1]["action"] in INTENTS
    told = "; the last entry was cut off: the next promotion or rollback settles it" if is_open else ""
    CONSOLE.print(
        f"{registry.model}: champion {champion or 'none'}{told}; the same entries are in {registry.audit.file}"
    )


def lines(entries: list[dict[str, Any]]) -> list[str]:
    """A line for each entry, and one below it with the failed gates and the note, if there are any.

    An entry that announced what the next one reports has no line.
    """
    shown = []
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if following is not None and INTENTS.get(entry["action"]) == following["action"]:
            continue
        when, ends = entry["when"][:19].replace("T", " "), [entry[end] or "none" for end in ("from", "to")]
        shown.append(f"{entry['number']:>4}  {when} UTC  {entry['action']}, {ends[0]} -> {ends[1]}, by {entry['who']}")
        failed = ", ".join(gate["name"] for gate in entry["gates"] if not gate["passed"])
        if told := "; ".join(part for part in (failed and f"failed: {failed}", entry["note"]) if part):
            shown.append(f"      {told}")
    return shown
