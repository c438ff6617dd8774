"""The block of params.yaml on serving."""

from __future__ import annotations

from pydantic import Field

from jmlr.config_data import Block
from jmlr.types import OPTION_LETTERS


class ServeSettings(Block):
    """The HTTP face of a registered version: where it listens, how it batches, what it takes.

    `hosts`: names that requests may call it by. `queue_questions`: accepted and not yet begun. `patience_seconds`: how
    long a question may wait for its turn. `drain_seconds`: how long a server that stops still says so before it closes.
    `finish_seconds`: how long it then may take to answer what it accepted.
    """

    host: str = Field(min_length=1)
    port: int = Field(ge=0, le=65535)
    hosts: tuple[str, ...] = Field(min_length=1)
    batch_questions: int = Field(ge=1)
    batch_wait_milliseconds: float = Field(ge=0)
    queue_questions: int = Field(ge=1)
    patience_seconds: float = Field(gt=0)
    drain_seconds: float = Field(ge=0)
    finish_seconds: float = Field(gt=0)
    body_seconds: float = Field(gt=0)
    body_bytes: int = Field(ge=1024)
    question_characters: int = Field(ge=1)
    option_characters: int = Field(ge=1)
    options: int = Field(ge=2, le=len(OPTION_LETTERS))
