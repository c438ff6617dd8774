"""The block of params.yaml on flows: what they wait for, how long, how often, at what cost, and whom they tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jmlr.config_data import Block

Hours = Annotated[float, Field(gt=0)]


class FlowsSettings(Block):
    """How flows run stages and commands; no stage reads it.

    `when_running`: what a run does while another holds the repository. `timeout_hours`: of a stage or command, by its
    name; one that is not named has no bound. `retries`: of what a kill, the network or a disk ended, no other failure.
    `budget_device_hours`: of base, index, train and evaluate over all runs of the last `budget_days` days.
    `notify`: notification blocks of Prefect, as TYPE/NAME.
    """

    when_running: Literal["wait", "refuse"]
    timeout_hours: dict[str, Hours]
    retries: int = Field(ge=0)
    retry_delay_seconds: float = Field(ge=0)
    budget_device_hours: float | None = Field(gt=0)
    budget_days: float = Field(gt=0)
    notify: tuple[Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")], ...]
