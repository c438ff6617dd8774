"""One shard of ingest as a Prefect task, which any process may run that sees the repository's folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from prefect import task

from jmlr.data.shards import ShardMaker
from jmlr.data.units import Unit

_PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ECONNRESET, errno.EHOSTDOWN}
"""What a file system on the network gives for a while; under a broken file lies another cause."""


def may_pass(error: BaseException) -> bool:
    """Whether making the shard again may help: after errors of the file system, not where a raw file is broken.

    >>> from jmlr.errors import DataError
    >>> may_pass(OSError("the share is away")), may_pass(DataError("broken JSON"))
    (True, False)
    """
    cause = error.__cause__
    return isinstance(error, OSError) or (isinstance(cause, OSError) and cause.errno in _PASSING)


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
