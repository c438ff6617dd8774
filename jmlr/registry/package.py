"""A trained pair as one version of the MLflow model registry."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr.registry.pair import Pair
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

CHALLENGER = "challenger"

PAIR_HASH_TAG = "pair_hash"

_REQUIRED_PACKAGES = (
    "torch transformers colbert-ai faiss-cpu bm25s pystemmer peft pydantic pyarrow pandas pyyaml".split()
)

INPUT_EXAMPLE = {
    "question": "A 54-year-old man wakes with a hot, swollen great toe. Which test confirms the diagnosis?",
    "options": ["Chest radiograph", "Joint fluid microscopy", "Spirometry", "Electroencephalography"],
}


def register(pair: Pair, name: str, run_id: str, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
    """Make the pair a version of the registered model `name`, with the alias `challenger`.

    The same build twice makes one version: its `pair_hash` is looked up first.

    Args:
        pair: the files.
        name: the registered model's name.
        run_id: the MLflow run that trained it.
        tags: further tags of the version; those of an old version are brought up to date.

    Returns:
        The version, and whether it is new.

    Raises:
        RegistryError: if a file of the pair is missing.
        MissingResource: if the tracking store does not answer.
    """
    pair.require()
    client = connect()
    pair_hash = pair.pair_hash()
    version = find(client, name, pair_hash)
    is_new = version is None
    if version is None:
        version = _make_version(pair, name, run_id, pair_hash)
    for key, value in tags.items():
        client.set_model_version_tag(name, version.version, key, value)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return version, is_new


def find(client: MlflowClient, name: str, pair_hash: str) -> ModelVersion | None:
    """The newest version of `name` with this hash, or None."""
    versions = client.search_model_versions(f"name = '{name}' and tags.{PAIR_HASH_TAG} = '{pair_hash}'")
    return max(versions, key=lambda version: int(version.version), default=None)


def _make_version(pair: Pair, name: str, run_id: str, pair_hash: str) -> ModelVersion:
    """Log the model below the run and register it; the version exists only once everything is written.

    MLflow loads what it logged and answers the input example from it; if that fails it prints a warning.
    """
    import mlflow

    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="pair",
            python_model=str(Path(__file__).with_name("pair_model.py")),
            artifacts=pair.artifacts(),
            code_paths=[str(Path(__file__).parents[1])],
            signature=signature(),
            input_example=[INPUT_EXAMPLE],
            pip_requirements=_requirements(),
        )
    return mlflow.register_model(logged.model_uri, name, tags={PAIR_HASH_TAG: pair_hash})


def signature() -> ModelSignature:
    """Columns in, answer with cited passages out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Object, Property

    passage = Object(
        [
            Property("passage_id", DataType.string),
            Property("title", DataType.string),
            Property("text", DataType.string),
            Property("score", DataType.double),
            Property("read", DataType.boolean),
        ]
    )
    inputs = [ColSpec(DataType.string, "question"), ColSpec(Array(DataType.string), "options")]
    outputs: list[Any] = [
        ColSpec(DataType.string, "answer"),
        ColSpec(DataType.long, "answer_index"),
        ColSpec(Array(DataType.double), "option_probabilities"),
        ColSpec(Array(passage), "passages"),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def _requirements() -> list[str]:
    """Installed versions of what answering needs; the project's own code travels with the model."""
    return [f"{name}=={importlib.metadata.version(name).split('+')[0]}" for name in _REQUIRED_PACKAGES]
