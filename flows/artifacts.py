"""A run on Prefect's pages: a summary, metrics beside the champion's, the gates, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from jmlr.evaluation.report.table import result_markdown
from jmlr.registry.version.lookup import Version, run_page
from jmlr.stages import costs, layout
from jmlr.stages.evaluation_files import read_metrics
from jmlr.tracking.store import tracking_uri

_MEASURES = ("accuracy", "success_at_1")
_ABSENT = "-"


def metric_rows(challenger: Version, champion: Version | None) -> list[dict[str, str]]:
    """Each measure of the challenger beside the champion's, from their tags, with the difference.

    >>> metric_rows(Version(2, "", {"test.accuracy.jmlr": "0.75"}), Version(1, "", {"test.accuracy.jmlr": "0.5"}))
    [{'measure': 'test.accuracy.jmlr', 'version 2': '0.75', 'champion': '0.5', 'difference': '+0.2500'}]
    """
    rows = []
    for measure, value in sorted(challenger.tags.items()):
        if measure.split(".")[1:2] and measure.split(".")[1] in _MEASURES:
            before = champion.tags.get(measure) if champion is not None else None
            if before is None and champion is not None:  # a version from before recall was measured
                before = champion.tags.get(measure.replace("success_at_1", "recall_at_1"))
            difference = _ABSENT if before is None else f"{float(value) - float(before):+.4f}"
            rows.append(
                {
                    "measure": measure,
                    f"version {challenger.number}": value,
                    "champion": before or _ABSENT,
                    "difference": difference,
                }
            )
    return rows


def gate_rows(gates: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The gates of build/promotion/gates.json as rows of texts.

    >>> gate_rows([{"name": "size", "passed": True, "figure": 3, "bound": 9, "detail": "bytes"}])
    [{'gate': 'size', 'passed': 'yes', 'figure': '3', 'bound': '9', 'detail': 'bytes'}]
    """
    return [
        {
            "gate": str(gate["name"]),
            "passed": "yes" if gate["passed"] else "no",
            **{name: str(gate.get(name, _ABSENT)) for name in ("figure", "bound", "detail")},
        }
        for gate in gates
    ]


def publish_gates(judgement: Mapping[str, Any]) -> None:
    """Makes the table of the gates."""
    if rows := gate_rows(judgement.get("gates", [])):
        what = f"{judgement.get('outcome')}: {judgement.get('model')} {judgement.get('from')} -> {judgement.get('to')}"
        create_table_artifact(table=rows, key="gates", description=what)


def publish_results(outcome: str, challenger: Version, champion: Version | None, root: Path = Path()) -> None:
    """Makes the summary, the table of metrics and the links, from the tags of versions and the files of build/.

    Args:
        outcome: what became of the challenger, in words.
        challenger: the version that was made.
        champion: the version it was compared with, if there was one.
        root: of the repository.
    """
    if rows := metric_rows(challenger, champion):
        create_table_artifact(table=rows, key="metrics-against-champion", description=outcome)
    create_markdown_artifact(summary(outcome, challenger, champion, root), key="retraining-summary")
    for name, address in links(challenger, root).items():
        create_link_artifact(address, link_text=name, key=name.lower().replace(" ", "-"))


def summary(outcome: str, challenger: Version, champion: Version | None, root: Path = Path()) -> str:
    """The outcome, the result table and the cost in Markdown."""
    held = f"champion was version {champion.number}" if champion is not None else "there was no champion"
    parts = [f"# Version {challenger.number}: {outcome}", f"{held}; MLflow store {tracking_uri()}"]
    if metrics := read_metrics(root / layout.METRICS):
        parts.append(result_markdown(metrics))
    if hours := challenger.tags.get("device_hours") or costs.summary():
        parts.append(f"Device hours: {hours}")
    return "\n\n".join([*parts, "Not for clinical use."])


def links(challenger: Version, root: Path = Path()) -> dict[str, str]:
    """Names and addresses of what can be opened; the run's page only if MLflow is a server."""
    found = {}
    if page := run_page(tracking_uri(), challenger.run_id):
        found["MLflow run"] = page
    for name, file in (("Report", layout.REPORT), ("Data Docs", layout.DATA_DOCS / "index.html")):
        if (root / file).exists():
            found[name] = (root / file).resolve().as_uri()
    return found
