"""Stage show: everything about one version, and how to bring it back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from rich.table import Table

from jmlr.commands.registry import audit
from jmlr.console import CONSOLE
from jmlr.evaluation.report.table import result_table
from jmlr.registry.promotion.champion import Registry
from jmlr.registry.version import record
from jmlr.registry.version.lookup import resolve
from jmlr.settings import Settings
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from jmlr.registry.version.lookup import ModelVersion

_SHOWN_ABOVE = (".accuracy.", ".success_at_1.", ".recall_at_1.")


def run(settings: Settings, spec: str) -> None:
    """Prints results, origin, aliases and history of a version.

    Args:
        settings: name the registered model.
        spec: `3`, `@champion` or `models:/jmlr/3`.

    Raises:
        RegistryError: if there is no such version.
    """
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    papers = record.fetch(client, version)
    registry = Registry(client, version.name)
    number = int(version.version)
    names = [name for name in ("champion", "challenger") if registry.alias(name) == number]
    CONSOLE.print(f"{version.name} version {number}{f', {chr(32).join(names)}' if names else ''}")
    if metrics := papers.metrics():
        CONSOLE.print(result_table(metrics))
    else:
        CONSOLE.print("it carries no evaluation; jmlr register adds it while its build is there")
    CONSOLE.print(_origin(version))
    about = [entry for entry in registry.audit.entries() if number in (entry["from"], entry["to"])]
    CONSOLE.print(audit.table(about) if about else "no promotion or rollback is about it")
    CONSOLE.print(f"load:    mlflow.pyfunc.load_model('models:/{version.name}/{number}')")
    CONSOLE.print(f"judge:   jmlr promote --version {number} --dry-run")
    if papers.state is not None:
        CONSOLE.print(f"restore: jmlr restore {number} FOLDER")
    else:
        CONSOLE.print("restore: it does not carry its state; jmlr register adds it while its build is there")


def _origin(version: ModelVersion) -> Table:
    """When it was made, by which run, and its tags but those of the results above."""
    table = Table(title="where it comes from", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # hashes are to be copied whole
    made = datetime.fromtimestamp(version.creation_timestamp / 1000, timezone.utc)
    table.add_row("registered (UTC)", f"{made:%Y-%m-%d %H:%M:%S}")
    table.add_row("run", version.run_id)
    for name, value in sorted(version.tags.items()):
        if not any(part in name for part in _SHOWN_ABOVE) and not name.startswith("mlflow."):
            table.add_row(name, value)
    return table
