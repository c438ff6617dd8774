"""Stage register: the evaluated pair becomes a version of the MLflow registry. Outside DVC: it has side effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jmlr.commands.registry import papers
from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.data.tables import read_questions
from jmlr.evaluation.notation import success_at_1
from jmlr.evaluation.protocol import protocol_hash
from jmlr.files import read_json
from jmlr.registry.version.facts import Abstaining
from jmlr.registry.version.model_card import CardInputs, count_sources, describe, render
from jmlr.registry.version.package import Registered, register
from jmlr.registry.version.pair import Pair
from jmlr.registry.version.standing import CHALLENGER
from jmlr.registry.version.unit import Unit
from jmlr.settings import Settings
from jmlr.stages import costs, layout
from jmlr.stages.evaluation_files import read_metrics
from jmlr.tracking.line import Line
from jmlr.tracking.provenance import provenance
from jmlr.tracking.run import RunReference, TrainingRun
from jmlr.tracking.store import tracking_uri


def headline_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Accuracy of every arm, and success@1 of every ranking, as tags `SPLIT.NAME`, rounded to 4 digits.

    >>> headline_tags({"test": {"accuracy": {"rag": {"value": 0.5}}, "retrieval": {"after": {"success_at_1": 0.75}}}})
    {'test.accuracy.rag': '0.5', 'test.success_at_1.after': '0.75'}
    """
    tags = {}
    for split, measured in metrics.items():
        for arm, found in measured["accuracy"].items():
            tags[f"{split}.accuracy.{arm}"] = str(round(found["value"], 4))
        for when, found in measured["retrieval"].items():
            if (share := success_at_1(found)) is not None:
                tags[f"{split}.success_at_1.{when}"] = str(round(share, 4))
    return tags


def unit_of(pair: Pair, evaluation: Path, metrics: Mapping[str, Any], settings: Settings) -> Unit:
    """What is registered of a pair.

    Args:
        pair: its files.
        evaluation: folder of its own evaluation.
        metrics: that evaluation's.
        settings: of tracking, which say where the index is kept.
    """
    store = settings.track.index_store
    return Unit(pair, evaluation, Abstaining.of_metrics(metrics, "jmlr"), Path(store) if store else None)


def run(settings: Settings) -> None:
    """Registers build/train with the evaluation in build/evaluate; the same again makes no second version.

    Raises:
        RegistryError: if the pair is not trained or not evaluated.
        MissingResource: if the tracking store does not answer.
        DataError: if a file of training or evaluation is damaged.
    """
    metrics = read_metrics(layout.METRICS)
    unit = unit_of(trained_pair(), layout.EVALUATE, metrics, settings)
    unit.require()
    Line(tracking_uri()).connect()  # a version belongs to a run that MLflow knows
    with TrainingRun.resume(RunReference.read(layout.RUN), settings.model_dump(by_alias=True)) as tracked:
        protocol = protocol_hash(settings, read_questions(layout.QUESTIONS))
        found = provenance()
        tags = {**found, **headline_tags(metrics), "recipe": settings.recipe, "protocol_hash": protocol}
        hours = costs.summary()
        if hours:
            tags["device_hours"] = hours
            tracked.log_artifacts(layout.COSTS)
        card = CardInputs(
            settings=settings,
            facts=unit.facts(tracked.run_id),
            metrics=metrics,
            subgroups=read_json(layout.SUBGROUPS, "dvc repro evaluate"),
            ledger=read_json(layout.LEDGER, "dvc repro train"),
            provenance={**found, "protocol_hash": protocol},
            sources={table.stem: count_sources(table) for table in (layout.PASSAGES, layout.QUESTIONS)},
            device_hours=hours,
        )
        told = Registered(settings.track.registered_model, card.facts, tags, render(card), describe(card))
        version, is_new = register(unit, told)
        papers.keep(version)
        tracked.set_tags({"protocol_hash": protocol})
    state = "registered" if is_new else "already registered:"
    CONSOLE.print(f"{state} {version.name} version {version.version}, alias {CHALLENGER}, run {tracked.run_id}")
