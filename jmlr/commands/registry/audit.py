"""Stage audit: who changed the champion, when, and by which gates."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table

from jmlr.console import CONSOLE
from jmlr.registry.promotion.audit import INTENTS
from jmlr.registry.promotion.champion import Registry
from jmlr.settings import Settings
from jmlr.tracking.store import connect


def run(settings: Settings, as_json: bool) -> None:
    """Prints the audit, oldest first, and checks that store and file tell the same.

    Args:
        settings: name the registered model.
        as_json: one entry a line, whole.

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
    CONSOLE.print(table(entries))
    told = "; the last entry was cut off: the next promotion or rollback settles it" if _is_open(entries) else ""
    CONSOLE.print(
        f"{registry.model}: champion {champion or 'none'}{told}; the same entries are in {registry.audit.file}"
    )


def table(entries: list[dict[str, Any]]) -> Table:
    """The entries as rows; what an entry announced and the next one reports is one row."""
    shown = Table("#", "when (UTC)", "who", "what", "from", "to", "failed gates, note")
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if following is not None and INTENTS.get(entry["action"]) == following["action"]:
            continue
        failed = ", ".join(gate["name"] for gate in entry["gates"] if not gate["passed"])
        told = "; ".join(part for part in (failed, entry["note"]) if part)
        when = entry["when"][:19].replace("T", " ")
        ends = [str(entry[end] or "none") for end in ("from", "to")]
        shown.add_row(str(entry["number"]), when, entry["who"], entry["action"], *ends, told)
    return shown


def _is_open(entries: list[dict[str, Any]]) -> bool:
    return entries[-1]["action"] in INTENTS
