"""One shard of ingest as a Prefect task, which any process may run that sees the repository's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import task

from jmlr.data.shards import ShardMaker
from jmlr.data.units import Unit
from jmlr.failure import may_pass


def _is_worth_a_retry(task: Any, task_run: Any, state: Any) -> bool:
    return may_pass(state.result(raise_on_failure=False))


# Shards are the cache: one that is there is not made again.
@task(
    name="shard",
    task_run_name="shard {unit.key} of {unit.origin}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_is_worth_a_retry,
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
