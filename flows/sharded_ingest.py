"""Ingest with its shards made side by side as Prefect tasks: `python -m flows.sharded_ingest --help`.

The tasks make the shards, one a unit of raw files, on processes of this machine or on a cluster. Then
`dvc repro ingest` finds them all and only merges, so that DVC stays the only cache. Run it in the repository's root,
which all workers must see by the same path. What is made is the same, byte for byte, wherever the shards are made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows.command import run_and_exit
from flows.ending import count, ending_plainly, parser
from flows.named_states import ACTIONABLE, failed
from flows.shard_task import make_shard
from flows.stage_task import run_stage
from jmlr.errors import ConfigError, MissingResource
from jmlr.settings import params
from jmlr.stages.ingest import shards_to_make

# Dask tells of every connection.
os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
RUNNERS = ("processes", "dask", "ray")


def task_runner(kind: str, workers: int, address: str | None = None) -> TaskRunner[Any]:
    """Where the tasks run.

    Args:
        kind: one of RUNNERS.
        workers: processes of this machine, where there is no address.
        address: of a cluster that runs, such as tcp://scheduler:8786 (Dask) or ray://head:10001.

    Raises:
        ConfigError: if an address is given for processes of this machine.
        MissingResource: if the runner's package is not installed.
    """
    if kind == "processes":
        if address is not None:
            raise ConfigError(f"--address {address} with --runner processes", expected="--runner dask or ray")
        return ProcessPoolTaskRunner(max_workers=workers)
    try:
        return _dask(workers, address) if kind == "dask" else _ray(workers, address)
    except ImportError as error:
        raise MissingResource(
            f"--runner {kind} needs prefect-{kind} ({error})",
            expected=f"the extra {kind!r} of this project",
            next_step=f"pip install -e '.[{kind}]'",
        ) from error


def _dask(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    if address is not None:
        return DaskTaskRunner(address=address)
    # One thread each: reading is Python, whose threads take turns.
    local = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(workers: int, address: str | None) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    return RayTaskRunner(address=address) if address is not None else RayTaskRunner(init_kwargs={"num_cpus": workers})


@flow(name="jmlr-sharded-ingest", log_prints=True)
def sharded_ingest() -> State[Any]:
    """Make the missing shards as tasks of the flow's runner, then bring stage `ingest` up to date.

    If a raw file is missing or broken the stage does not run.
    """
    try:
        maker, units = shards_to_make(params.load())
        print(f"{len(units)} shards to make")
        folder = str(Path.cwd())
        made = [make_shard.submit(maker, unit, folder) for unit in units]
        for future in made:
            future.result()
        run_stage("ingest")
    except ACTIONABLE as error:
        return failed(error)
    return Completed()


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; an error the user can fix ends with exit status 2, without a traceback."""
    reader = parser("sharded_ingest", __doc__)
    reader.add_argument("--runner", choices=RUNNERS, default="processes", help="where tasks run (default: %(default)s)")
    reader.add_argument("--workers", type=count, default=os.cpu_count() or 1, help="processes here (default: cores)")
    reader.add_argument("--address", help="a running cluster in place of processes here, as tcp://scheduler:8786")
    asked = reader.parse_args(words)
    with ending_plainly():
        runner = task_runner(asked.runner, asked.workers, asked.address)
    run_and_exit(sharded_ingest.with_options(task_runner=runner))


if __name__ == "__main__":
    main()
