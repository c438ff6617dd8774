"""One shard of ingest as a Prefect task, which any process may run that sees the repository's folder."""

from __future__ import annotations

import os
from pathlib import Path

from prefect import task

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
def make_shard(maker: ShardMaker, unit: Unit, folder: str) -> Path:
    """The folder of the unit's shard, made if it is not there, relative to `folder`.

    Args:
        maker: of the shard.
        unit: what is read.
        folder: the repository's root, by the same absolute path wherever tasks run.

    Raises:
        DataError: if a file is broken; then nothing is left of the shard.
    """
    # Paths in settings are relative to the root, and a cluster's workers start elsewhere.
    os.chdir(folder)
    return maker(unit)
