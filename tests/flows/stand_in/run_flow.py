"""A flow with the stand-in for `jmlr`: `python run_flow.py retrain|pipeline|promote`."""

import importlib
import sys

from flows import stage_task
from flows.command import run_and_exit

if __name__ == "__main__":
    stage_task.JMLR = (sys.executable, "jmlr_stand_in.py")
    name = sys.argv[1]
    run_and_exit(getattr(importlib.import_module(f"flows.{name}"), name))
