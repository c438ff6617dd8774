"""The block of params.yaml on when flows run by themselves."""

from __future__ import annotations

import zoneinfo
from typing import Annotated

from pydantic import AfterValidator, Field

from jmlr.config_data import Block
from jmlr.config_values import Cron


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
