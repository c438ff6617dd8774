"""Settings of tracking, block `track` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from jmlr.config_data import Block
from jmlr.config_values import Name

_LONGEST_EXPERIMENT_CHARACTERS = 500
_LONGEST_MODEL_BYTES = 200  # the files of its lock and audit are called after it


def _plain(name: str) -> str:
    """The name, if MLflow takes it, its searches and addresses can hold it, and files can be called after it."""
    if name.startswith(".") or any(mark in name for mark in "/\\:@%'\"`"):
        raise ValueError("a name without / \\ : @ % ' \" ` and without a dot at its beginning, as MLflow takes it")
    if len(name.encode()) > _LONGEST_MODEL_BYTES:
        raise ValueError(f"a name of at most {_LONGEST_MODEL_BYTES} bytes")
    return name


_Experiment = Annotated[Name, Field(max_length=_LONGEST_EXPERIMENT_CHARACTERS)]
_Model = Annotated[Name, AfterValidator(_plain)]


class TrackSettings(Block):
    """Names in MLflow.

    `stages`: every stage gets a run of its own, below one of the pipeline. `index_store`: a folder that keeps each
    index once for several versions; null: inside each.
    """

    experiment: _Experiment
    registered_model: _Model
    stages: bool
    index_store: Name | None
