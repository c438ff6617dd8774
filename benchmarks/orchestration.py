"""What the scheduler costs: the pipeline with nothing to do, by plain `dvc repro` and under Prefect.

    python benchmarks/orchestration.py --folder COPY

COPY is a repository with all stages up to date (`dvc status` says so); nothing in it changes. Each way is a process of
its own, the ways take turns, and medians are printed. CPU seconds are those of all its processes, with the temporary
server; those of a server that runs are not in them. Wall time follows the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from statistics import median

import tables

from flows import background
from flows.servers import programs
from jmlr.files import write_json

ROOT = Path(__file__).parents[1]

FLOW = """
import json, sys, time
begin = time.perf_counter()
import flows.pipeline as module
imported = time.perf_counter()
names, started = module.stage_names, []
def stage_names(folder):
    started.append(time.perf_counter())
    return names(folder)
module.stage_names = stage_names
if sys.argv[1] == "each":
    module.is_up_to_date = lambda folder: False
module.pipeline(also_register=False)
ended = time.perf_counter()
print("MARKS", json.dumps({"import": imported - begin, "start": started[0] - imported, "stages": ended - started[0]}))
"""
WAYS = {
    "dvc repro": ["-m", "dvc", "repro"],
    "temporary server, one dvc call a stage": ["-c", FLOW, "each"],
    "temporary server": ["-c", FLOW, "once"],
    "running server, one dvc call a stage": ["-c", FLOW, "each"],
    "running server": ["-c", FLOW, "once"],
}


def measure(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Wall and CPU seconds of one process with its children, and the marks that it prints."""
    cpu_before, begin = _children_cpu_seconds(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    took = {"seconds": time.perf_counter() - begin, "cpu_seconds": _children_cpu_seconds() - cpu_before}
    if done.returncode or "Running stage" in done.stdout:
        sys.exit(f"not a run without work:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    marks = [line.removeprefix("MARKS ") for line in done.stdout.splitlines() if line.startswith("MARKS ")]
    return {**took, **(json.loads(marks[0]) if marks else {})}


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_all(folder: Path, repeats: int, port: int) -> list[dict[str, object]]:
    """A row for each way, the first start with a new database before them."""
    home = Path(tempfile.mkdtemp())
    own = {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home / "temporary"), "OMP_NUM_THREADS": "1"}
    own["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "180"
    server, _ = programs({"JMLR_PREFECT_PORT": str(port)})
    os.environ["PREFECT_HOME"] = str(home / "running")
    first = measure(WAYS["temporary server"], folder, own)
    rows: list[dict[str, object]] = [{"way": "temporary server, first start (makes its database)", "runs": 1, **first}]
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    try:
        background.start(server, home)
        background.wait_until_healthy(server, home, 180)
        measure(WAYS["running server"], folder, {**own, "PREFECT_API_URL": f"{server.address}/api"})
        for _ in range(repeats):
            for way, arguments in WAYS.items():
                running = {"PREFECT_API_URL": f"{server.address}/api"} if way.startswith("running") else {}
                taken[way].append(measure(arguments, folder, {**own, **running}))
    finally:
        background.stop(home, server.name)
        shutil.rmtree(home, ignore_errors=True)
    for way, runs in taken.items():
        rows.append({"way": way, "runs": repeats} | {key: median(run[key] for run in runs) for key in runs[0]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="a repository with all stages up to date")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--port", type=int, default=14999, help="of the server that this script starts and stops")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "orchestration.json")
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    rows = measure_all(asked.folder.resolve(), asked.repeats, asked.port)
    head = {"date": date.today().isoformat(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    write_json(
        asked.out, result := {**head, "load_before": load_before, "load_after": os.getloadavg()[0], "rows": rows}
    )
    print(tables.orchestration(result))


if __name__ == "__main__":
    main()
