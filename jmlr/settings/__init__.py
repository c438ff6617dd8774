"""Every setting of params.yaml: its type, its bounds and what it means."""

from jmlr.settings.blocks import Settings
from jmlr.settings.data import CutSettings, IngestSettings, LeakageSettings, SourceSettings, ValidateSettings
from jmlr.settings.evaluation import EvaluateSettings, PromoteSettings
from jmlr.settings.models import (
    BaseReaderSettings,
    BaseRetrieverSettings,
    BaseSettings,
    IndexSettings,
    PromptSettings,
    StarterReaderSettings,
)
from jmlr.settings.operations import FlowsSettings, ScheduleSettings, ServeSettings, TrackSettings
from jmlr.settings.training import (
    CollapseSettings,
    LoraSettings,
    ObjectiveSettings,
    RefreshDriftSettings,
    SamplingSettings,
    TrainReaderSettings,
    TrainRetrieverSettings,
    TrainSettings,
)
from jmlr.settings.values import Block

__all__ = [
    "BaseReaderSettings",
    "BaseRetrieverSettings",
    "BaseSettings",
    "Block",
    "CollapseSettings",
    "CutSettings",
    "EvaluateSettings",
    "FlowsSettings",
    "IndexSettings",
    "IngestSettings",
    "LeakageSettings",
    "LoraSettings",
    "ObjectiveSettings",
    "PromoteSettings",
    "PromptSettings",
    "RefreshDriftSettings",
    "SamplingSettings",
    "ScheduleSettings",
    "ServeSettings",
    "Settings",
    "SourceSettings",
    "StarterReaderSettings",
    "TrackSettings",
    "TrainReaderSettings",
    "TrainRetrieverSettings",
    "TrainSettings",
    "ValidateSettings",
]
