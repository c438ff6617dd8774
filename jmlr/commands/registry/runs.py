"""`jmlr runs`: what was run, newest first, its results, and which version it became."""

from __future__ import annotations

from datetime import datetime, timezone

from jmlr.console import CONSOLE
from jmlr.registry.version.lookup import search
from jmlr.settings import Settings
from jmlr.tracking.line import Line
from jmlr.tracking.pipeline import HOURS
from jmlr.tracking.runs import RunFamily, families
from jmlr.tracking.store import tracking_uri

_SUCCESS = ("success_at_1", "recall_at_1")
"""What a run may call success@1: the second before recall was measured."""
_LINE = "{:<13}  {:<8}  {:<12}  {:>8}  {:>9}  {:>7}  {}"


def run(settings: Settings, most: int) -> None:
    """Prints the newest runs."""
    client, model = Line(tracking_uri()).connect(), settings.track.registered_model
    found = families(client, settings.track.experiment, most)
    if not found:
        CONSOLE.print(f"no runs in experiment {settings.track.experiment}; next: dvc repro")
        return
    versions: dict[str, list[str]] = {}
    for version in search(client, model):
        versions.setdefault(version.run_id, []).append(str(version.number))
    split = settings.promote.split
    CONSOLE.print(f"accuracy and success@1 of the joint arm on {split}; below: state and stages")
    CONSOLE.print(_LINE.format("started (UTC)", "run", "recipe", "accuracy", "success@1", "hours", "version"))
    for family in found:
        CONSOLE.print(_LINE.format(*_cells(family, split, versions)).rstrip())
        stages = f": {_stages(family)}" if family.children else ""
        CONSOLE.print(f"{'':<15}{family.run.info.status.lower()}{stages}")
    CONSOLE.print("hours: device hours of its stages; jmlr results tells those of killed tries too")


def _cells(family: RunFamily, split: str, versions: dict[str, list[str]]) -> list[str]:
    info = family.run.info
    success = (family.metric(f"{split}/retrieval/after/{name}") for name in _SUCCESS)
    numbers = [number for run in family.runs for number in versions.get(run.info.run_id, [])]
    return [
        f"{datetime.fromtimestamp(info.start_time / 1000, timezone.utc):%m-%d %H:%M}",
        info.run_id[:8],
        family.run.data.params.get("recipe", ""),
        _percent(family.metric(f"{split}/accuracy/jmlr/value")),
        _percent(next((share for share in success if share is not None), None)),
        _hours(family),
        ", ".join(numbers),
    ]


def _stages(family: RunFamily) -> str:
    return ", ".join(
        f"{run.info.run_name}{'' if run.info.status == 'FINISHED' else f' {run.info.status.lower()}'}"
        for run in reversed(family.children)
    )


def _hours(family: RunFamily) -> str:
    """Device hours of all its stages and tries; empty for a training from before they were counted."""
    hours = [value for name, value in family.run.data.metrics.items() if name.startswith(HOURS)]
    return f"{sum(hours):.3f}" if hours else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
