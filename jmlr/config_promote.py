"""Settings of the gates that a version passes before it becomes the champion."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jmlr.config_data import Block


class PromoteSettings(Block):
    """The gates; losses are the champion's accuracy minus the challenger's, 0 to 1.

    `split`: on which of evaluate.splits both are compared. `must_improve`: the whole interval of the difference must
    lie above 0. `min_net_helped`: questions that only the challenger answers right minus those that only the champion
    does. `latency_questions`: answered one by one to measure the median. null: no bound.
    """

    needs_approval: bool
    split: Literal["dev", "test", "test_seen"]
    allow_prompt_change: bool
    max_accuracy_loss: float = Field(ge=0, le=1)
    must_improve: bool
    min_net_helped: int
    max_subgroup_loss: float = Field(ge=0, le=1)
    latency_questions: int = Field(ge=1)
    max_p50_seconds: float | None = Field(gt=0)
    max_size_gigabytes: float | None = Field(gt=0)
