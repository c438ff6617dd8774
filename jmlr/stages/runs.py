"""Stage runs: what was run, newest first, what came of it, and which version it became."""

from __future__ import annotations

from datetime import datetime, timezone

from rich.table import Table

from jmlr.config import Settings
from jmlr.stages.console import CONSOLE
from jmlr.tracking.runs import RunFamily, families
from jmlr.tracking.store import connect

_SECONDS_PER_HOUR = 3600


def run(settings: Settings, most: int) -> None:
    """Prints a table of the newest runs.

    Args:
        settings: name experiment and registered model, and the split that is shown.
        most: how many.
    """
    client, model = connect(), settings.track.registered_model
    found = families(client, settings.track.experiment, most)
    if not found:
        CONSOLE.print(f"no runs in experiment {settings.track.experiment}; next: dvc repro")
        return
    versions: dict[str, list[str]] = {}
    for version in sorted(client.search_model_versions(f"name = '{model}'"), key=lambda one: int(one.version)):
        versions.setdefault(version.run_id, []).append(str(version.version))
    split = settings.promote.split
    table = Table("started (UTC)", "run", "state", "recipe", f"accuracy ({split})", "recall@1", "hours", "version")
    for family in found:
        table.add_row(*_cells(family, split, versions))
    CONSOLE.print(table)
    CONSOLE.print("hours: wall time of the runs; device hours: jmlr results, jmlr show VERSION")


def _cells(family: RunFamily, split: str, versions: dict[str, list[str]]) -> list[str]:
    info = family.run.info
    numbers = [number for run in family.runs for number in versions.get(run.info.run_id, [])]
    return [
        f"{datetime.fromtimestamp(info.start_time / 1000, timezone.utc):%Y-%m-%d %H:%M}",
        info.run_id[:8],
        f"{info.status.lower()}{f' ({_stages(family)})' if family.children else ''}",
        family.run.data.params.get("recipe", ""),
        _percent(family.metric(f"{split}/accuracy/jmlr/value")),
        _percent(family.metric(f"{split}/retrieval/after/recall_at_1")),
        f"{_hours(family):.2f}",
        ", ".join(numbers),
    ]


def _stages(family: RunFamily) -> str:
    return ", ".join(
        f"{run.info.run_name}{'' if run.info.status == 'FINISHED' else f' {run.info.status.lower()}'}"
        for run in reversed(family.children)
    )


def _hours(family: RunFamily) -> float:
    """Of its stages, or of itself where it has none; a run that goes on counts up to now."""
    now = datetime.now(timezone.utc).timestamp() * 1000
    ends = [(run.info.start_time, run.info.end_time or now) for run in family.children or [family.run]]
    return sum(end - start for start, end in ends) / 1000 / _SECONDS_PER_HOUR


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
