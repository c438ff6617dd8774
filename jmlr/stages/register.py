"""Stage register: the evaluated pair becomes a version of the MLflow registry. Outside DVC: it has side effects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jmlr.config import PARAMS_FILE, Settings
from jmlr.data.tables import read_questions
from jmlr.errors import RegistryError
from jmlr.evaluation.protocol import protocol_hash
from jmlr.registry.package import CHALLENGER, Pair, register
from jmlr.stages import costs, layout, papers
from jmlr.stages.console import CONSOLE
from jmlr.tracking.provenance import provenance
from jmlr.tracking.reference import RunReference
from jmlr.tracking.run import TrainingRun


def headline_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Accuracy of every arm, and recall@1 of every ranking, as tags `SPLIT.NAME`, rounded to 4 digits.

    >>> headline_tags({"test": {"accuracy": {"rag": {"value": 0.5}}, "retrieval": {"after": {"recall_at_1": 0.75}}}})
    {'test.accuracy.rag': '0.5', 'test.recall_at_1.after': '0.75'}
    """
    tags = {}
    for split, measured in metrics.items():
        for arm, found in measured["accuracy"].items():
            tags[f"{split}.accuracy.{arm}"] = str(round(found["value"], 4))
        for when, found in measured["retrieval"].items():
            if found.get("recall_at_1") is not None:
                tags[f"{split}.recall_at_1.{when}"] = str(round(found["recall_at_1"], 4))
    return tags


def run(settings: Settings) -> None:
    """Registers build/train with the metrics of build/evaluate; the same build again makes no second version.

    Raises:
        RegistryError: if the pair is not trained or not evaluated.
        MissingResource: if the tracking store does not answer.
    """
    if not layout.METRICS.exists():
        raise RegistryError(
            "missing", expected="an evaluated pair", where=str(layout.METRICS), next_step="dvc repro evaluate"
        )
    metrics = json.loads(layout.METRICS.read_text(encoding="utf-8"))
    pair = Pair(layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES, PARAMS_FILE)
    pair.require()
    with TrainingRun.resume(RunReference.read(layout.RUN), settings.model_dump(by_alias=True)) as tracked:
        protocol = protocol_hash(settings, read_questions(layout.QUESTIONS))
        tags = {**provenance(), **headline_tags(metrics), "recipe": settings.recipe, "protocol_hash": protocol}
        if hours := costs.summary():
            tags["device_hours"] = hours
            tracked.log_artifacts(layout.COSTS)
        version, is_new = register(pair, settings.track.registered_model, tracked.run_id, tags)
        papers.keep(version)
    state = "registered" if is_new else "already registered:"
    CONSOLE.print(f"{state} {version.name} version {version.version}, alias {CHALLENGER}, run {tracked.run_id}")
