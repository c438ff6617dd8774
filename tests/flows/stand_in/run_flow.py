"""Flows with the stand-in for `jmlr`: `python run_flow.py retrain|pipeline|promote`; a worker takes the one below."""

import importlib
import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows import stage_task
from flows.command import run_and_exit
from flows.retrain import retrain


def stand_in() -> None:
    stage_task.JMLR = (sys.executable, "jmlr_stand_in.py")


@flow(name="stand-in")
def retrain_stand_in() -> State[Any]:
    stand_in()
    return retrain(return_state=True)


if __name__ == "__main__":
    stand_in()
    name = sys.argv[1]
    run_and_exit(getattr(importlib.import_module(f"flows.{name}"), name))
