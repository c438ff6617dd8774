"""The block of params.yaml on serving."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jmlr.config_data import Block
from jmlr.config_values import Distinct, Host, Seconds
from jmlr.types import OPTION_LETTERS


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
