"""All of params.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jmlr.settings.data import IngestSettings, ValidateSettings
from jmlr.settings.evaluation import EvaluateSettings, PromoteSettings
from jmlr.settings.models import BaseSettings, IndexSettings, PromptSettings
from jmlr.settings.operations import FlowsSettings, ScheduleSettings, ServeSettings, TrackSettings
from jmlr.settings.training import TrainSettings
from jmlr.settings.values import Block, Name, setting


class Settings(Block):
    """All of params.yaml."""

    settings_version: Literal[3] = setting(
        3, "Which keys the file has; an earlier release's file is brought up to date when read."
    )
    recipe: Name = setting(..., "Name of the recipe, for reports and MLflow.")
    seed: int = setting(1, "Seed of every random choice.", ge=0, lt=2**32)  # what NumPy's and torch's generators take
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
