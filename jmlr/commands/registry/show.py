"""`jmlr show`: everything about one version, and how to restore it."""

from __future__ import annotations

from datetime import datetime, timezone

from jmlr.commands.registry import audit
from jmlr.console import CONSOLE
from jmlr.evaluation.report.table import result_table
from jmlr.registry.promotion.champion import Registry
from jmlr.registry.version import record
from jmlr.registry.version.lookup import Version, resolve
from jmlr.settings import Settings
from jmlr.tracking.store import connect

_SHOWN_ABOVE = (".accuracy.", ".success_at_1.", ".recall_at_1.")


def run(settings: Settings, spec: str) -> None:
    """Prints results, origin, aliases and history of a version.

    `spec`: `3`, `@champion` or `models:/jmlr/3`.

    Raises:
        RegistryError: if there is no such version.
    """
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    number, carried = version.number, record.fetch(client, version)
    CONSOLE.print(", ".join((str(version), *sorted(version.aliases))))
    if metrics := carried.metrics():
        CONSOLE.print(result_table(metrics))
    else:
        CONSOLE.print("it carries no evaluation; jmlr register adds it while its build is there")
    CONSOLE.print("\n".join(_origin(version)))
    entries = Registry(client, version.name).audit.entries()
    about = [entry for entry in entries if number in (entry["from"], entry["to"])]
    CONSOLE.print("\n".join(["history", *audit.lines(about)]) if about else "no promotion or rollback is about it")
    CONSOLE.print(f"load:    mlflow.pyfunc.load_model('models:/{version.name}/{number}')")
    CONSOLE.print(f"judge:   jmlr promote --version {number} --dry-run")
    if carried.state is not None:
        CONSOLE.print(f"restore: jmlr restore {number} FOLDER")
    else:
        CONSOLE.print("restore: it does not carry its state; jmlr register adds it while its build is there")


def _origin(version: Version) -> list[str]:
    """When it was made, by which run, and its tags without the results above; hashes stay whole, to be copied."""
    made = datetime.fromtimestamp(version.registered / 1000, timezone.utc)
    told = {"registered": f"{made:%Y-%m-%d %H:%M:%S} UTC", "run": version.run_id}
    for name, value in sorted(version.tags.items()):
        if not any(part in name for part in _SHOWN_ABOVE) and not name.startswith("mlflow."):
            told[name] = value
    return ["where it comes from", *(f"{name:<14}  {value}" for name, value in told.items())]  # 80 with a hash
