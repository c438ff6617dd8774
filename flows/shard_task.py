"""One shard of ingest as a Prefect task, for any process that sees the repository's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State

from flows.named_states import ACTIONABLE, failed
from flows.stage_task import is_worth_a_retry
from jmlr.data.shards import ShardMaker
from jmlr.data.units import Unit


# Shards are the cache: one that is there is not made again.
@task(
    name="shard",
    task_run_name="shard {unit.key} of {unit.origin}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=is_worth_a_retry,
    cache_policy=None,
    persist_result=False,
)
def make_shard(maker: ShardMaker, unit: Unit, folder: str) -> Path | State[Any]:
    """Makes the unit's shard unless it exists.

    Args:
        maker: of the shard.
        unit: what is read.
        folder: the repository's root, by the same absolute path wherever tasks run.

    Returns:
        Its folder, relative to `folder`; or a failed state, if a file is broken, and then nothing is left of the shard.
    """
    # Paths in settings are relative to the root, and a cluster's workers start elsewhere.
    try:
        os.chdir(folder)
        return maker(unit)
    except ACTIONABLE as error:
        return failed(error)
