"""The flows as deployments of a Prefect server, with schedule and trigger: `python -m flows.deploy`, or `make deploy`.

`schedule` of params.yaml says when they run. The process work pool's runs are taken by `make worker`, in this folder.
Docker and Kubernetes: prefect.yaml and deploy/, see docs/orchestration.md.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.ending import ending_plainly, parser, positive
from flows.servers import addresses
from jmlr.console import CONSOLE
from jmlr.errors import ConfigError
from jmlr.settings import ScheduleSettings, params

NAME = "here"
FLOWS = ("pipeline", "retrain", "promote", "refresh", "withdraw", "watch_data")
_MOVED_BY_DATA = ("retrain", "pipeline")
"""The first of them that exists runs by the schedule and when the data change."""


@dataclass(frozen=True)
class Plan:
    """One flow and when it runs by itself.

    Attributes:
        module: flows.MODULE, which has a flow of the same name.
        cron: of Prefect; None: no such schedule.
        time_zone: of cron.
        every_seconds: between two runs; None: no such schedule.
        on_new_data: whether the event of flows.watch_data starts it.
        once_at_a_time: whether a run that is due while another works is left out. After a pause of the worker all runs
            of the pause are due at once.
        parameters: of the flow, where not its defaults.
    """

    module: str
    cron: str | None = None
    time_zone: str = "UTC"
    every_seconds: float | None = None
    on_new_data: bool = False
    once_at_a_time: bool = False
    parameters: dict[str, Any] | None = None


def plans(schedule: ScheduleSettings, every_seconds: float | None = None) -> list[Plan]:
    """A plan for each flow that exists.

    Args:
        schedule: of params.yaml.
        every_seconds: in place of `schedule.cron`, to try things out.
    """
    there = [name for name in FLOWS if importlib.util.find_spec(f"flows.{name}") is not None]
    moved = next(name for name in _MOVED_BY_DATA if name in there)
    made = []
    for name in there:
        if name == "watch_data":
            # None too: that ends an earlier schedule.
            made.append(Plan(name, every_seconds=schedule.watch_seconds, once_at_a_time=True))
        elif name == moved:
            cron = schedule.cron if every_seconds is None else None
            made.append(Plan(name, cron, schedule.time_zone, every_seconds, schedule.watch_seconds is not None))
        else:
            made.append(Plan(name))
    return made


def deploy(wanted: Iterable[Plan], work_pool: str, folder: Path) -> list[str]:
    """Make or renew the deployments, and the process work pool where there is none of its name.

    Args:
        wanted: what to deploy.
        work_pool: its name.
        folder: the repository, in which the worker runs the flows.

    Returns:
        lines that say what each deployment does.

    Raises:
        ConfigError: if Prefect refuses the schedule.
        MissingResource: if there is no server, or it does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    from flows.temporary_server import require_server

    require_server()
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(work_pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=work_pool, type="process"))
    return [_deploy_one(plan, work_pool, folder) for plan in wanted]


def _deploy_one(plan: Plan, work_pool: str, folder: Path) -> str:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType
    from prefect.events import DeploymentEventTrigger
    from prefect.schedules import Cron, Interval

    from flows.watch_data import EVENT, resource_of

    flow = getattr(importlib.import_module(f"flows.{plan.module}"), plan.module)
    trigger = DeploymentEventTrigger(
        name=f"{flow.name}: new data", expect={EVENT}, match={"prefect.resource.id": resource_of(folder)}
    )
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    when = Cron(plan.cron, timezone=plan.time_zone) if plan.cron is not None else None
    if plan.every_seconds is not None:
        when = Interval(timedelta(seconds=plan.every_seconds))
    try:
        deployment = flow.to_deployment(
            NAME,
            schedules=[when] if when is not None else [],
            triggers=[trigger] if plan.on_new_data else [],
            parameters=plan.parameters,
            concurrency_limit=one if plan.once_at_a_time else None,
            job_variables={"working_dir": str(folder.resolve())},
            entrypoint_type=EntrypointType.MODULE_PATH,  # the worker runs what lies in the folder, at that time
        )
    except ValueError as error:
        raise ConfigError(
            f"Prefect refuses it: {error}", where="schedule.cron", next_step="change it in params.yaml's recipe"
        ) from error
    deployment.apply(work_pool_name=work_pool)
    return f"{deployment.full_name}: {_says(plan)}"


def _says(plan: Plan) -> str:
    parts = [f"cron {plan.cron} ({plan.time_zone})"] if plan.cron is not None else []
    parts += [f"every {plan.every_seconds:g} s"] if plan.every_seconds is not None else []
    parts += ["when the data change"] if plan.on_new_data else []
    return ", ".join(parts) or "when started by hand"


def work(work_pool: str) -> None:
    """Become a worker that takes runs from the process work pool until it is ended; makes the pool if there is none.

    Raises:
        MissingResource: if there is no server, or it does not answer.
    """
    from flows.temporary_server import require_server

    require_server()
    words = ["-m", "prefect", "worker", "start", "--type", "process", "--pool", work_pool]
    os.execv(sys.executable, [sys.executable, *words])


def main(words: Sequence[str] | None = None) -> None:
    """Deploy, or work; an error the user can fix ends with exit status 2, without a traceback."""
    reader = parser("deploy", __doc__)
    reader.add_argument("--every", type=positive, metavar="SECONDS", help="in place of schedule.cron, to try")
    reader.add_argument(
        "--work", action="store_true", help="deploy nothing: be a worker of the pool, until it is ended"
    )
    asked = reader.parse_args(words)
    os.environ.update(addresses())  # Prefect reads them when it is first imported
    with ending_plainly():
        schedule = params.load().schedule
        if asked.work:
            work(schedule.work_pool)
        for line in deploy(plans(schedule, asked.every), schedule.work_pool, Path.cwd()):
            CONSOLE.print(line)
        CONSOLE.print(f"work pool {schedule.work_pool}; its runs wait for: make worker")


if __name__ == "__main__":
    main()
