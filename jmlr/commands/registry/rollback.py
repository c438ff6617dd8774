"""`jmlr rollback`: an earlier champion is champion again."""

from __future__ import annotations

from jmlr.console import CONSOLE
from jmlr.registry.promotion.champion import Registry
from jmlr.registry.version.lookup import resolve
from jmlr.registry.withdrawal.versions import withdrawn_passages
from jmlr.settings import Settings
from jmlr.tracking.store import connect


def run(settings: Settings, to: int | None, reason: str) -> None:
    """Moves the alias champion back; the audit gets it.

    `to`: an earlier champion's number; None: the champion before this one.

    Raises:
        RegistryError: if there was no such champion, or its version is gone.
    """
    client = connect()
    registry = Registry(client, settings.track.registered_model)
    before, after = registry.roll_back(to, reason)
    CONSOLE.print(f"{registry.model} version {after} is champion again; before: {before or 'none'}")
    if held := withdrawn_passages(resolve(client, registry.model, str(after))):
        CONSOLE.print(f"warning: it reads {len(held)} passages that were withdrawn; docs/withdrawal.md")
