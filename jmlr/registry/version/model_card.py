"""The model card of a version, Markdown, under the headings of Mitchell et al. 2019 (arXiv 1810.03993)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from jmlr.data.tables import read_made
from jmlr.evaluation import notation
from jmlr.evaluation.report.claim_card import deviations
from jmlr.registry.version.contents import Facts
from jmlr.settings import Settings

TEMPLATE = "model_card.md.j2"
_ARM = "jmlr"
_FIRST_DIGITS = 16


@dataclass(frozen=True)
class CardInputs:
    """All that the card tells.

    Attributes:
        settings: what the pair was made with.
        facts: what the version knows of itself.
        metrics: content of metrics.json.
        subgroups: content of subgroups.json; empty where there is none.
        ledger: content of ledger.json; empty where there is none.
        provenance: tags of the version: commit and hashes.
        sources: per table (passages, questions) its rows by source and licence, as `count_sources` gives them.
        device_hours: of all stages and tries, in words; empty where they were not counted.
    """

    settings: Settings
    facts: Facts
    metrics: Mapping[str, Any]
    subgroups: Mapping[str, Any]
    ledger: Mapping[str, Any]
    provenance: Mapping[str, str]
    sources: Mapping[str, list[dict[str, Any]]]
    device_hours: str


def count_sources(table: Path) -> list[dict[str, Any]]:
    """How many rows of passages.parquet or questions.parquet come from each source under each licence.

    Returns:
        Rows of source, licence and count, most first; an empty licence is `not stated`.
    """
    columns = read_made(table, "dvc repro ingest", columns=["source", "licence"])
    counted = columns.group_by(["source", "licence"]).aggregate([([], "count_all")]).to_pylist()
    rows = [
        {"source": row["source"] or "unnamed", "licence": row["licence"] or "not stated", "count": row["count_all"]}
        for row in counted
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["source"], row["licence"]))


def render(inputs: CardInputs) -> str:
    """The card, Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "points", "arm_label", "split_label", "ranking_label", "quantity", "success_at_1"):
        environment.filters[name] = getattr(notation, name)
    environment.filters.update(cell=cell, short=lambda digest: str(digest)[:_FIRST_DIGITS])
    return environment.get_template(TEMPLATE).render(
        **vars(inputs),
        arm=_ARM,
        parameters=_parameters(inputs.ledger),
        deviations=deviations(inputs.settings),
        arms_of=notation.ordered_arms,
    )


def describe(inputs: CardInputs) -> str:
    """The card in four lines, for the registry's list of versions."""
    lines = [f"Recipe {inputs.settings.recipe}, seed {inputs.settings.seed}, {inputs.settings.train.steps} steps."]
    for split, measured in inputs.metrics.items():
        if found := measured["accuracy"].get(_ARM):
            bounds = f"{notation.percent(found['low'])} to {notation.percent(found['high'])}"
            lines.append(
                f"{split}: {notation.percent(found['value'])} ({bounds}) of {measured['questions']} questions right; "
                f"guessing {notation.percent(measured['chance'])}."
            )
    lines.append("The whole card is the artifact model_card.md. Not for clinical use.")
    return "\n".join(lines)


def cell(text: object) -> str:
    r"""A text in one cell of a Markdown table, as it is: no tag, image, link or end of the cell.

    >>> cell("see <site> ![x](y)")
    'see &lt;site> \\!\\[x\\](y)'
    """
    escaped = re.sub(r"([\\|\[\]!`])", r"\\\1", str(text)).replace("<", "&lt;")
    return " ".join(escaped.split())


def _parameters(ledger: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Trained and frozen parameters of the joint arm's components."""
    return {
        name: dict(found)
        for name, found in ledger.get(_ARM, {}).items()
        if isinstance(found, Mapping) and {"trainable", "frozen"} <= found.keys()
    }
