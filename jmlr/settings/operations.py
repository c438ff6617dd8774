"""The blocks of params.yaml that no stage of the pipeline is about: track, serve, flows and schedule."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jmlr.settings.values import Block, Cron, Distinct, Host, Name, Seconds
from jmlr.types import OPTION_LETTERS

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


class ServeSettings(Block):
    """The HTTP face of a registered version: where it listens, how it batches, what it takes.

    `hosts`: names that requests may call it by. `queue_questions`: accepted and not yet begun. `patience_seconds`: how
    long a question may wait for its turn. `drain_seconds`: how long a server that stops still says so before it closes.
    `finish_seconds`: how long it then may take to answer what it accepted.
    """

    host: Host
    port: int = Field(ge=0, le=65535)
    hosts: Annotated[tuple[Literal["*"] | Host, ...], Field(min_length=1), Distinct]
    batch_questions: int = Field(ge=1)
    batch_wait_milliseconds: float = Field(ge=0, le=60_000)
    queue_questions: int = Field(ge=1)
    patience_seconds: Seconds = Field(gt=0)
    drain_seconds: Seconds
    finish_seconds: Seconds = Field(gt=0)
    body_seconds: Seconds = Field(gt=0)
    body_bytes: int = Field(ge=1024)
    question_characters: int = Field(ge=1)
    option_characters: int = Field(ge=1)
    options: int = Field(ge=2, le=len(OPTION_LETTERS))


Hours = Annotated[float, Field(gt=0)]
Run = Annotated[str, Field(pattern="^(ingest|validate|base|index|train|evaluate|register|promote|refresh|withdraw)$")]
"""What flows run, by the name of the stage or the command."""


class FlowsSettings(Block):
    """How flows run stages and commands; no stage reads it.

    `when_running`: what a run does while another holds the repository. `timeout_hours`: of a stage or command, by its
    name; one that is not named has no bound. `retries`: of what a kill, the network or a disk ended, no other failure.
    `budget_device_hours`: of base, index, train and evaluate over all runs of the last `budget_days` days.
    `notify`: notification blocks of Prefect, as TYPE/NAME.
    """

    when_running: Literal["wait", "refuse"]
    timeout_hours: dict[Run, Hours]
    retries: int = Field(ge=0)
    retry_delay_seconds: Seconds
    budget_device_hours: float | None = Field(gt=0)
    budget_days: float = Field(gt=0, le=36_500)
    notify: Annotated[tuple[Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")], ...], Distinct]


def _time_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError(f"{name!r} is no time zone; one is for example UTC or Europe/Berlin")
    return name


class ScheduleSettings(Block):
    """When the deployments of `make deploy` run; without `make deploy` and `make worker` nothing runs by itself.

    `cron`: minute, hour, day of the month, month, day of the week; null: no schedule. `watch_seconds`: between two
    looks at data.dvc, whose change starts a run; null: nobody looks. `work_pool`: from which `make worker` takes runs.
    """

    cron: Cron | None
    time_zone: Annotated[str, AfterValidator(_time_zone)]
    watch_seconds: int | None = Field(ge=5, le=86_400)
    work_pool: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
