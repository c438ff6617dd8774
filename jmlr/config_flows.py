"""The block of params.yaml on flows: what they wait for, how long, how often, at what cost, and whom they tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jmlr.config_data import Block
from jmlr.config_values import Distinct, Seconds

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
