"""A trained pair as one version of the MLflow model registry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from jmlr.errors import RegistryError
from jmlr.registry.lock import alone
from jmlr.registry.version import requirements
from jmlr.registry.version.facts import Facts
from jmlr.registry.version.pair import PAIR_HASH_RULE_TAG, PAIR_HASH_TAG
from jmlr.registry.version.rows import OPTIONS, QUESTION
from jmlr.registry.version.standing import CHALLENGER
from jmlr.registry.version.unit import Unit
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

UNIT_HASH_TAG = "unit_hash"

IDENTITY = ("name", "version", "pair_hash", "run_id")
"""What an answer says of the version that gave it."""

MODEL_DESCRIPTION = (
    "Medical exam questions answered by a ColBERT retriever and a reader that were trained together (JMLR, arXiv "
    "2402.17887). One version holds retriever, reader, index, prompt settings and evaluation; each has its model card. "
    "Teaching and research only, not for clinical use."
)

_LONGEST_REGISTERING_SECONDS = 3600.0
_DOES_NOT_ANSWER = "Failed to validate serving input example"

INPUT_EXAMPLE = {
    "question": "A 54-year-old man wakes with a hot, swollen great toe. Which test confirms the diagnosis?",
    "options": ["Chest radiograph", "Joint fluid microscopy", "Spirometry", "Electroencephalography"],
}


@dataclass(frozen=True)
class Registered:
    """What a version is called, and what is told of it.

    Attributes:
        name: the registered model's.
        facts: what the version knows of itself, as `Unit.facts` found it.
        tags: further tags; those of an old version are brought up to date.
        card: the model card, Markdown.
        description: a few lines for the registry's list.
    """

    name: str
    facts: Facts
    tags: Mapping[str, str]
    card: str
    description: str


def register(unit: Unit, told: Registered) -> tuple[ModelVersion, bool]:
    """Make the unit a version of the registered model, with the alias `challenger`.

    The same unit twice, one after the other or at once, makes one version: its `unit_hash` is looked up first.

    Args:
        unit: the files.
        told: name, facts, tags and card.

    Returns:
        The version, and whether it is new.

    Raises:
        RegistryError: if it does not answer when it is loaded from the store, or another registers for an hour.
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    # Two that register one unit at once would both find none: the second waits, and then finds the first's.
    with alone(client, f"{told.name}.register", _LONGEST_REGISTERING_SECONDS):
        version = find(client, told.name, told.facts.unit_hash)
        is_new = version is None
        if version is None:
            version = _make_version(unit, told)
            client.update_model_version(told.name, version.version, told.description)
            client.update_registered_model(told.name, MODEL_DESCRIPTION)
        for key, value in told.tags.items():
            client.set_model_version_tag(told.name, version.version, key, value)
        client.set_registered_model_alias(told.name, CHALLENGER, version.version)
    return version, is_new


def find(client: MlflowClient, name: str, unit_hash: str) -> ModelVersion | None:
    """The newest version of `name` with this hash, or None."""
    versions = client.search_model_versions(f"name = '{name}' and tags.{UNIT_HASH_TAG} = '{unit_hash}'")
    return max(versions, key=lambda version: int(version.version), default=None)


def _make_version(unit: Unit, told: Registered) -> ModelVersion:
    """Log the model below the run and register it; the version exists only once everything is written and answers."""
    import mlflow

    facts = told.facts
    with (
        mlflow.start_run(run_id=facts.run_id),
        unit.staged(facts, told.card) as artifacts,
        TemporaryDirectory() as place,
        _collected_warnings("mlflow.models.model") as warned,
    ):
        constraints = Path(place) / "constraints.txt"
        constraints.write_text("\n".join(requirements.constraints()) + "\n", encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name="pair",
            python_model=str(Path(__file__).with_name("pair_model.py")),
            artifacts=artifacts,
            code_paths=[str(Path(__file__).parents[2])],
            signature=signature(),
            input_example=[INPUT_EXAMPLE],
            pip_requirements=[*requirements.pinned(), f"-c {constraints}"],
        )
    # MLflow loads what it logged and answers the input example from it; where that fails it only warns.
    if failed := [message for message in warned if message.startswith(_DOES_NOT_ANSWER)]:
        mlflow.MlflowClient().delete_logged_model(logged.model_id)
        raise RegistryError(
            f"it does not answer when it is loaded ({failed[0].rsplit('Got error:', 1)[-1].strip()})",
            expected="a pair that answers the input example",
            where=str(unit.pair.reader.parent),
            next_step="`jmlr ask` shows the same error by itself; nothing was registered",
        )
    tags = {UNIT_HASH_TAG: facts.unit_hash, PAIR_HASH_TAG: facts.pair_hash}
    tags[PAIR_HASH_RULE_TAG] = str(facts.pair_hash_rule)
    return mlflow.register_model(logged.model_uri, told.name, tags=tags)


@contextmanager
def _collected_warnings(name: str) -> Iterator[list[str]]:
    """What the logger `name` says meanwhile."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def signature() -> ModelSignature:
    """Columns in, answer with cited passages out.

    What goes in is `any` for MLflow: it would turn an option that is null into a piece of the text "None", and names no
    row. So jmlr.registry.version.rows checks it.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType, Array, Object, Property

    passage = Object(
        [
            Property("passage_id", DataType.string),
            Property("title", DataType.string),
            Property("text", DataType.string),
            Property("score", DataType.double),
            Property("read", DataType.boolean),
        ]
    )
    model = Object([Property(name, DataType.string, required=False) for name in IDENTITY])
    outputs: list[Any] = [
        ColSpec(DataType.string, "answer", required=False),
        ColSpec(DataType.long, "answer_index", required=False),
        ColSpec(Array(DataType.double), "option_probabilities"),
        ColSpec(DataType.double, "confidence"),
        ColSpec(DataType.boolean, "abstained", required=False),
        ColSpec(Array(passage), "passages"),
        ColSpec(model, "model"),
    ]
    inputs = [ColSpec(AnyType(), QUESTION), ColSpec(AnyType(), OPTIONS)]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
