"""Registers a pair with its evaluation as one version of the MLflow model registry."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from jmlr.errors import RegistryError
from jmlr.registry.lock import alone
from jmlr.registry.version.contents import Contents, Facts
from jmlr.registry.version.lookup import CHALLENGER, Version, find
from jmlr.registry.version.pair import PAIR_HASH_RULE_TAG, PAIR_HASH_TAG
from jmlr.registry.version.rows import OPTIONS, QUESTION
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

ANSWERING = "torch transformers colbert-ai faiss-cpu bm25s pystemmer peft pydantic".split()
ANSWERING += "pyarrow pandas pyyaml numpy tqdm ftfy".split()
"""The packages that answering uses."""

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
class NewVersion:
    """What a version is called, and what is told of it.

    Attributes:
        name: the registered model's.
        facts: what the version knows of itself, as `Contents.find_facts` found it.
        tags: further tags; those of a version that is there already are updated.
        card: the model card, Markdown.
        description: a few lines for the registry's list.
    """

    name: str
    facts: Facts
    tags: Mapping[str, str]
    card: str
    description: str


def register(contents: Contents, told: NewVersion) -> tuple[Version, bool]:
    """Makes a version of the registered model, with the alias `challenger`.

    The same contents twice, one after the other or at once, make one version: their `unit_hash` is looked up first.

    Returns:
        The version, and whether it is new.

    Raises:
        RegistryError: if it does not answer when it is loaded from the store, or another registers for an hour.
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    # Two processes that register the same at once would both find none: the second waits, then finds the first's.
    with alone(client, f"{told.name}.register", _LONGEST_REGISTERING_SECONDS):
        version = find(client, told.name, told.facts.unit_hash)
        is_new = version is None
        if version is None:
            version = _make_version(contents, told)
            client.update_model_version(told.name, str(version.number), told.description)
            client.update_registered_model(told.name, MODEL_DESCRIPTION)
        for key, value in told.tags.items():
            client.set_model_version_tag(told.name, str(version.number), key, value)
        client.set_registered_model_alias(told.name, CHALLENGER, str(version.number))
    return Version.of(client.get_model_version(told.name, str(version.number))), is_new


def _make_version(contents: Contents, told: NewVersion) -> Version:
    """Log the model below the run and register it; the version exists only once everything is written and answers."""
    import mlflow

    facts = told.facts
    with (
        mlflow.start_run(run_id=facts.run_id),
        contents.laid_out(facts, told.card) as artifacts,
        TemporaryDirectory() as place,
        _collected_warnings("mlflow.models.model") as warned,
    ):
        locked = Path(place) / "constraints.txt"
        locked.write_text("\n".join(constraints()) + "\n", encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name="pair",
            python_model=str(Path(__file__).with_name("pair_model.py")),
            artifacts=artifacts,
            code_paths=[str(Path(__file__).parents[2])],
            signature=signature(),
            input_example=[INPUT_EXAMPLE],
            pip_requirements=[*(f"{name}=={_installed(name)}" for name in ANSWERING), f"-c {locked}"],
        )
    # MLflow loads what it logged and answers the input example from it; where that fails it only warns.
    if failed := [message for message in warned if message.startswith(_DOES_NOT_ANSWER)]:
        mlflow.MlflowClient().delete_logged_model(logged.model_id)
        raise RegistryError(
            f"it does not answer when it is loaded ({failed[0].rsplit('Got error:', 1)[-1].strip()})",
            expected="a pair that answers the input example",
            where=str(contents.pair.reader.parent),
            next_step="`jmlr ask` shows the same error by itself; nothing was registered",
        )
    tags = {"unit_hash": facts.unit_hash, PAIR_HASH_TAG: facts.pair_hash}
    tags[PAIR_HASH_RULE_TAG] = str(facts.pair_hash_rule)
    return Version.of(mlflow.register_model(logged.model_uri, told.name, tags=tags))


def constraints(names: Iterable[str] = ANSWERING) -> list[str]:
    """The installed versions of all that `names` need, directly or not, sorted: a lock of this environment.

    >>> [line.split("==")[0] for line in constraints(["pandas"])]
    ['numpy', 'pandas', 'python-dateutil', 'six']
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        try:
            known = metadata.metadata(name)["Name"].lower().replace("_", "-")
        except metadata.PackageNotFoundError:
            continue  # wanted on another system, or by an extra
        if known not in found:
            found[known] = _installed(name)
            needs = map(Requirement, metadata.requires(name) or ())
            waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _installed(name: str) -> str:
    """The version, without its local part: torch's +cpu is on no package index."""
    return metadata.version(name).split("+")[0]


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

    The inputs are `any` for MLflow, and jmlr.registry.version.rows checks them: MLflow would turn an option that is
    null into the text "None", and its errors name no row.
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
