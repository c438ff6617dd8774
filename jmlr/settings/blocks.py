"""All of params.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jmlr.settings.data import IngestSettings, ValidateSettings
from jmlr.settings.evaluation import EvaluateSettings, PromoteSettings
from jmlr.settings.models import BaseSettings, IndexSettings, PromptSettings
from jmlr.settings.operations import FlowsSettings, ScheduleSettings, ServeSettings, TrackSettings
from jmlr.settings.training import TrainSettings
from jmlr.settings.values import Block, Name


class Settings(Block):
    """All of params.yaml; `settings_version`: which keys it has, see jmlr.settings.migrations."""

    settings_version: Literal[3]
    recipe: Name
    seed: int = Field(ge=0, lt=2**32)  # what the generators of NumPy and torch take
    ingest: IngestSettings
    validate_: ValidateSettings = Field(alias="validate")
    base: BaseSettings
    prompt: PromptSettings
    index: IndexSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    track: TrackSettings
    promote: PromoteSettings
    serve: ServeSettings
    flows: FlowsSettings
    schedule: ScheduleSettings
