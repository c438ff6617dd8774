"""How long `jmlr ask` and `jmlr serve` take until they answer, beside what torch and transformers alone take.

Asks the pair of a finished build (`make repro`): loaded anew, and by way of a running `jmlr serve`. The floor imports
torch and the classes of transformers that any retriever and reader need, and loads nothing. The rows take turns.

    python benchmarks/startup.py                    # 3 turns
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from statistics import median

import tables

from jmlr.files import write_json

RESULTS = Path("benchmarks/results/startup.json")
FLOOR = "import torch; from transformers import BertModel, LlamaForCausalLM, AutoTokenizer"
ASK = ["-m", "jmlr.cli", "ask", "A patient has a swollen toe. Which test?", "-o", "Joint fluid", "-o", "Spirometry"]
SERVE = ["-m", "jmlr.cli", "serve", "--version", "build", "--port", "0"]
Seconds = tuple[float, float]
"""Wall and processor seconds."""


def main(words: Sequence[str] | None = None) -> int:
    """Prints the table and writes benchmarks/results/startup.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(words)
    arms: dict[str, Callable[[], Seconds]] = {
        "torch and transformers (floor)": lambda: run(["-c", FLOOR]),
        "jmlr ask, loading": lambda: run([*ASK, "--no-server"]),
        "jmlr serve, until it listens": lambda: serve()[0],
        "jmlr ask, of a running server": lambda: serve()[1],
    }
    seen: dict[str, list[Seconds]] = {name: [] for name in arms}
    for _ in range(asked.turns):
        for name, arm in arms.items():
            seen[name].append(arm())
    floor = median(cpu for _, cpu in next(iter(seen.values())))
    rows = []
    for name, found in seen.items():
        wall, cpu = (median(part) for part in zip(*found, strict=True))
        rows.append({"what": name, "seconds": wall, "cpu_seconds": cpu, "of_floor": cpu / floor})
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    result = {"date": date.today().isoformat(), "machine": machine, "turns": asked.turns, "rows": rows}
    write_json(asked.results, result)
    print(f"{machine}, median of {asked.turns} turns\n\n{tables.startup(result)}")
    return 0


def run(words: Sequence[str]) -> Seconds:
    """What a Python process takes from its start to its end."""
    started = time.perf_counter()
    return _ended(_start(words), started)


def serve() -> tuple[Seconds, Seconds]:
    """What a server takes until it says that it listens, and what a question to it takes afterwards."""
    started = time.perf_counter()
    process = _start(SERVE)
    first = process.stdout.readline() if process.stdout else ""
    if not first.startswith("API:"):
        raise RuntimeError(f"no server: {first!r}")
    ready = time.perf_counter() - started, _used(process.pid)
    time.sleep(1)
    asked = run(ASK)
    process.send_signal(signal.SIGTERM)
    process.wait()
    return ready, asked


def _start(words: Sequence[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, env=environment)


def _used(pid: int) -> float:
    """Processor seconds of a running process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended(process: subprocess.Popen[str], started: float) -> Seconds:
    if process.stdout:
        process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args} ended with status {process.returncode}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
