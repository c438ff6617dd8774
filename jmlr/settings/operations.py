"""The blocks of params.yaml that no stage of the pipeline is about: track, serve, flows and schedule."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jmlr.settings.values import Block, Count, Cron, Distinct, Host, Name, Positive, Seconds, Some, setting
from jmlr.types import OPTION_LETTERS

_LONGEST_MODEL_BYTES = 200  # the files of its lock and audit are called after it


def _plain(name: str) -> str:
    """The name, if MLflow takes it, its searches and addresses can hold it, and files can be called after it."""
    if name.startswith(".") or any(mark in name for mark in "/\\:@%'\"`"):
        raise ValueError("a name without / \\ : @ % ' \" ` and without a dot at its beginning, as MLflow takes it")
    if len(name.encode()) > _LONGEST_MODEL_BYTES:
        raise ValueError(f"a name of at most {_LONGEST_MODEL_BYTES} bytes")
    return name


def _time_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError(f"{name!r} is no time zone; one is for example UTC or Europe/Berlin")
    return name


Run = Annotated[str, Field(pattern="^(ingest|validate|base|index|train|evaluate|register|promote|refresh|withdraw)$")]
"""What flows run, by the name of the stage or the command."""


class TrackSettings(Block):
    """Names in MLflow, and what is kept there."""

    experiment: Name = setting("jmlr", "MLflow experiment.", max_length=500)
    registered_model: Annotated[Name, AfterValidator(_plain)] = setting("jmlr", "Name in MLflow's registry.")
    stages: bool = setting(True, "Every stage gets an MLflow run, below one of the pipeline.")
    index_store: Name | None = setting(
        None, "Folder that keeps each index once, for all versions with it. null: a copy inside each version."
    )


class ServeSettings(Block):
    """`jmlr serve` and `jmlr ui`; no stage reads this block: [serving.md](serving.md)."""

    host: Host = setting("127.0.0.1", "Address to listen on; 127.0.0.1 is reached from this machine alone.")
    port: int = setting(8000, "Port; 0: a free one, which is printed.", ge=0, le=65535)
    hosts: Some[Literal["*"] | Host] = setting(
        ("localhost", "127.0.0.1", "::1"), "Names (`Host`) that requests may use; others get 400. `*`: all."
    )
    batch_questions: Count = setting(4, "Most questions in one pass; more only helps on a GPU.")
    batch_wait_milliseconds: float = setting(5, "How long a batch's first question waits for others.", ge=0, le=60_000)
    queue_questions: Count = setting(32, "Questions accepted and waiting; more get 503 with `Retry-After`.")
    patience_seconds: Seconds = setting(10, "A question that would wait longer for its turn gets 503.", gt=0)
    drain_seconds: Seconds = setting(1, "After SIGTERM new questions are refused this long before it closes.")
    finish_seconds: Seconds = setting(60, "Time it then has to answer what it accepted.", gt=0)
    body_seconds: Seconds = setting(10, "A request not complete by then gets 408.", gt=0)
    body_bytes: int = setting(65536, "A longer request gets 413.", ge=1024)
    question_characters: Count = setting(8000, "A longer question gets 413.")
    option_characters: Count = setting(500, "A longer option gets 413.")
    options: int = setting(10, "Most options of a question.", ge=2, le=len(OPTION_LETTERS))


class FlowsSettings(Block):
    """How flows run stages and commands; no stage reads this block: [retraining.md](retraining.md)."""

    when_running: Literal["wait", "refuse"] = setting("wait", "What a run does while another holds the repository.")
    timeout_hours: dict[Run, Positive] = setting(
        {
            "ingest": 24,
            "validate": 6,
            "base": 24,
            "index": 48,
            "train": 168,
            "evaluate": 48,
            "register": 3,
            "promote": 12,
        },
        "By stage, register, promote, refresh or withdraw; one not named has no bound.",
    )
    retries: int = setting(2, "Further tries after a kill, or where network or disk were away.", ge=0)
    retry_delay_seconds: Seconds = setting(30, "Pause before the first; each further one is twice as long.")
    budget_device_hours: Positive | None = setting(
        None, "Hours of one kind of device for base, index, train and evaluate, failed tries included. null: no bound."
    )
    budget_days: float = setting(30, "Days that the budget looks back.", gt=0, le=36_500)
    notify: Annotated[tuple[Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")], ...], Distinct] = setting(
        (), "Prefect's notification blocks as TYPE/NAME, told of failures, promotions and waits for approval."
    )


class ScheduleSettings(Block):
    """When flows run by themselves, after `make deploy` and with `make worker`."""

    cron: Cron | None = setting("0 3 * * *", "Minute, hour, day of month, month, day of week. null: no schedule.")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = setting(
        "UTC", "Time zone of `cron`, as UTC or Europe/Berlin."
    )
    watch_seconds: int | None = setting(
        300,
        "Time between looks at data.dvc and its sources; a change starts a run. null: nobody looks.",
        ge=5,
        le=86_400,
    )
    work_pool: str = setting(
        "jmlr", "Prefect's work pool, from which `make worker` takes runs.", pattern=r"^[A-Za-z0-9_-]+$"
    )
