"""Answers a second and waiting times of the HTTP server, in batches and one by one, up to four times what it can do.

Serves the pair of a finished build (`make repro`) on loopback, once for each arm, and asks test questions at a steady
rate, whether or not earlier ones are answered (an open loop: a slow server does not slow its clients). The rates are
multiples of what one client that asks one question after another gets from the server that answers one by one.

    python benchmarks/serve.py                      # one thread a server, 20 s a row
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import tables

from jmlr import telemetry
from jmlr.data.tables import read_questions
from jmlr.files import write_json
from jmlr.settings import params
from jmlr.stages import layout

RESULTS = Path("benchmarks/results/serve.json")
REFUSED = (429, 503)
ARMS = {
    "one by one, no queue": {"batch_questions": 1, "batch_wait_milliseconds": 0, "queue_questions": 1},
    "one by one": {"batch_questions": 1, "batch_wait_milliseconds": 0},
    "in batches": {},
}
"""What each arm changes in the block `serve` of params.yaml."""


@dataclass(frozen=True)
class Driven:
    """What became of the questions of one row; times are seconds from question to answer.

    `failed`: neither answered nor refused with a time to come back; lost connections are among them.
    """

    arm: str
    load: float
    asked_per_second: float
    asked: int
    answered: int
    refused: int
    failed: int
    answered_per_second: float
    p50_seconds: float | None
    p99_seconds: float | None
    refused_p99_seconds: float | None
    cpu_seconds_per_answer: float | None


def main(words: Sequence[str] | None = None) -> int:
    """Prints the table and writes benchmarks/results/serve.json."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    parser.add_argument("--loads", type=float, nargs="+", default=[1, 2, 4], help="times the capacity one by one")
    parser.add_argument("--threads", type=int, default=1, help="of each server")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", choices=ARMS, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.serve:
        serve(asked.serve, asked.threads)
        return 0
    bodies = [
        {"question": question.text, "options": list(question.options)}
        for question in read_questions(layout.QUESTIONS)
        if question.split == "test"
    ]
    with ExitStack() as stack:
        servers = {arm: stack.enter_context(serving(arm, asked.threads)) for arm in ARMS}
        capacity = asyncio.run(one_after_another(servers["one by one"].url, bodies, asked.seconds / 2))
        driven = [
            row_of(servers[arm], arm, load, bodies, (load * capacity, asked.seconds))
            for load in asked.loads
            for arm in ARMS  # in turns, so that other load meets all alike
        ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {asked.threads} thread(s) a server"
    head = {"date": date.today().isoformat(), "machine": machine, "capacity_per_second": capacity}
    result = {**head, "seconds": asked.seconds, "rows": [asdict(row) for row in driven]}
    write_json(asked.results, result)
    print(f"{machine}; one by one, one client: {capacity:.1f} answers/s\n\n{tables.serve(result)}")
    return 1 if any(row.failed for row in driven) else 0


@dataclass(frozen=True)
class Server:
    """A running server process."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


def row_of(
    server: Server, arm: str, load: float, bodies: Sequence[dict[str, object]], pace: tuple[float, float]
) -> Driven:
    """One row: `pace` is questions a second, and for how many seconds."""
    before = server.cpu_seconds()
    row = asyncio.run(drive(server.url, bodies, *pace))
    used, answered = server.cpu_seconds() - before, row["answered"]
    return Driven(**row, arm=arm, load=load, cpu_seconds_per_answer=used / answered if answered else None)


def serve(arm: str, threads: int) -> None:
    """Serves build/train as one arm, in this process, on a free port."""
    import torch

    from jmlr.commands.serve.serve import BUILD, Wanted, run

    torch.set_num_threads(threads)
    settings = params.load()
    changed = settings.serve.model_copy(update=ARMS[arm])
    run(settings.model_copy(update={"serve": changed}), Wanted(BUILD, port=0))


@contextmanager
def serving(arm: str, threads: int) -> Iterator[Server]:
    """A server process for one arm; it is stopped by SIGTERM and must then end by itself."""
    command = [sys.executable, __file__, "--serve", arm, "--threads", str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        first = process.stdout.readline() if process.stdout else ""
        url = first.removeprefix("API:").strip()
        until = time.monotonic() + 60
        while not _is_ready(url):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"the server '{arm}' did not start: {first!r}")
            time.sleep(0.2)
        yield Server(url, psutil.Process(process.pid))
        process.terminate()
        if (status := process.wait(60)) != 0:
            raise RuntimeError(f"the server '{arm}' ended with status {status}")
    finally:
        process.kill()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url.replace("/v1/answer", "/ready"), timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def one_after_another(url: str, bodies: Sequence[dict[str, object]], seconds: float) -> float:
    """Answers a second that one client gets who asks the next question when the last is answered."""
    answered, started = 0, time.perf_counter()
    async with httpx.AsyncClient(timeout=60) as client:
        for body in itertools.cycle(bodies):
            (await client.post(url, json=body)).raise_for_status()
            answered += 1
            if time.perf_counter() - started >= seconds:
                break
    return answered / (time.perf_counter() - started)


async def drive(url: str, bodies: Sequence[dict[str, object]], rate: float, seconds: float) -> dict[str, Any]:
    """Asks `rate` questions a second for some seconds, each on its own, and counts what becomes of them."""
    fates: list[tuple[str, float]] = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def ask(body: dict[str, object]) -> None:
            started = time.perf_counter()
            try:
                answer = await client.post(url, json=body)
            except httpx.HTTPError:
                fates.append(("failed", time.perf_counter() - started))
                return
            is_refusal = answer.status_code in REFUSED and int(answer.headers.get("retry-after", 0)) >= 1
            fate = "answered" if answer.status_code == 200 else "refused" if is_refusal else "failed"
            fates.append((fate, time.perf_counter() - started))

        begun = time.perf_counter()
        count = max(1, round(rate * seconds))
        asking = []
        for number, body in zip(range(count), itertools.cycle(bodies)):
            await asyncio.sleep(begun + number / rate - time.perf_counter())
            asking.append(asyncio.create_task(ask(body)))
        await asyncio.gather(*asking)
        taken = time.perf_counter() - begun
    return _summary(fates, rate, taken)


def _summary(fates: Sequence[tuple[str, float]], rate: float, taken: float) -> dict[str, Any]:
    counts = Counter(fate for fate, _ in fates)
    times = {fate: [seconds for one, seconds in fates if one == fate] for fate in ("answered", "refused")}
    return {
        "asked_per_second": rate,
        "asked": len(fates),
        **{fate: counts[fate] for fate in ("answered", "refused", "failed")},
        "answered_per_second": counts["answered"] / taken,
        "p50_seconds": _quantile(times["answered"], 0.5),
        "p99_seconds": _quantile(times["answered"], 0.99),
        "refused_p99_seconds": _quantile(times["refused"], 0.99),
    }


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


if __name__ == "__main__":
    sys.exit(main())
