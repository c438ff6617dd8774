"""`jmlr register`: the evaluated pair becomes a version of the MLflow registry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.data.tables import read_questions
from jmlr.evaluation.notation import success_at_1
from jmlr.evaluation.protocol import protocol_hash
from jmlr.files import read_json
from jmlr.registry.version import record
from jmlr.registry.version.contents import Abstaining, Contents
from jmlr.registry.version.lookup import CHALLENGER, Version
from jmlr.registry.version.model_card import CardInputs, count_sources, describe, render
from jmlr.registry.version.pair import Pair
from jmlr.registry.version.registering import NewVersion, register
from jmlr.settings import Settings
from jmlr.stages import costs, layout
from jmlr.stages.evaluation_files import read_metrics
from jmlr.tracking.line import Line
from jmlr.tracking.provenance import provenance
from jmlr.tracking.run import RunReference, TrainingRun
from jmlr.tracking.snapshot import write_snapshot
from jmlr.tracking.store import connect, tracking_uri

_EVALUATION = (layout.PROTOCOL.name, layout.METRICS.name, layout.PREDICTIONS.name)
_VALIDATION = (layout.VALIDATION_REPORT, layout.COUNTS)


@dataclass(frozen=True)
class Origin:
    """Where the models of a new version come from.

    Attributes:
        model: name of the registered model.
        run_id: the MLflow run that trained them.
        device_hours: of their training and all tries, in words; empty if they were not counted.
        ledger: content of ledger.json; empty if there is none.
        tags: further tags.
        told: further tags that the model card tells, too.
        note: a line before the description.
        remedy: the command that makes its evaluation again.
    """

    model: str
    run_id: str
    device_hours: str
    ledger: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    remedy: str = "dvc repro evaluate"


def run(settings: Settings) -> None:
    """Registers build/train with the evaluation in build/evaluate; the same again makes no second version.

    Raises:
        RegistryError: if the pair is not trained or not evaluated.
        DataError: if a file of training or evaluation is damaged.
        MissingResource: if the tracking store does not answer.
    """
    contents = contents_of(trained_pair(), layout.EVALUATE, settings)
    contents.require()
    Line(tracking_uri()).connect()  # a version belongs to a run that MLflow knows
    with TrainingRun.resume(RunReference.read(layout.RUN), settings.model_dump(by_alias=True)) as tracked:
        hours = costs.summary()
        if hours:
            tracked.log_artifacts(layout.COSTS)
        tags = {"device_hours": hours} if hours else {}
        origin = Origin(
            settings.track.registered_model, tracked.run_id, hours, read_json(layout.LEDGER, "dvc repro train"), tags
        )
        version = enter(settings, contents, origin, f"run {tracked.run_id}")
        tracked.set_tags({record.PROTOCOL_TAG: version.tags[record.PROTOCOL_TAG]})


def contents_of(pair: Pair, evaluation: Path, settings: Settings, remedy: str = "dvc repro evaluate") -> Contents:
    """What is registered of a pair.

    `settings`: of tracking, which say where the index is kept. `remedy`: the command that makes the evaluation again.
    """
    store = settings.track.index_store
    abstaining = Abstaining.of_metrics(read_metrics(evaluation / layout.METRICS.name, remedy), "jmlr")
    return Contents(pair, evaluation, abstaining, Path(store) if store else None)


def enter(settings: Settings, contents: Contents, origin: Origin, told: str) -> Version:
    """Makes the version, with its tags, its card and its record, and prints it.

    `settings`: that the pair was made with. `told`: further words for the console.
    """
    metrics, found = read_metrics(contents.evaluation / layout.METRICS.name, origin.remedy), provenance()
    protocol = {record.PROTOCOL_TAG: protocol_hash(settings, read_questions(layout.QUESTIONS))}
    card = CardInputs(
        settings=settings,
        facts=contents.find_facts(origin.run_id),
        metrics=metrics,
        subgroups=read_json(contents.evaluation / layout.SUBGROUPS.name, origin.remedy),
        ledger=origin.ledger,
        provenance={**found, **protocol, **origin.told},
        sources={table.stem: count_sources(table) for table in (contents.pair.passages, layout.QUESTIONS)},
        device_hours=origin.device_hours,
    )
    tags = {**found, **headline_tags(metrics), "recipe": settings.recipe, **protocol, **origin.tags, **origin.told}
    new = NewVersion(origin.model, card.facts, tags, render(card), f"{origin.note}{describe(card)}")
    version, is_new = register(contents, new)
    keep_record(version, contents.evaluation)
    state = "registered" if is_new else "already registered:"
    CONSOLE.print(f"{state} {version}, alias {CHALLENGER}, {told}")
    return version


def keep_record(version: Version, evaluation: Path = layout.EVALUATE) -> None:
    """Keeps evaluation, validation report and the state of code, data and settings with the version's run.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    with tempfile.TemporaryDirectory() as place:
        write_snapshot(Path(place))
        answers = [evaluation / name for name in _EVALUATION]
        kept = {"evaluation": answers, "validation": _VALIDATION, "state": sorted(Path(place).iterdir())}
        record.keep(connect(), version, kept)


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
