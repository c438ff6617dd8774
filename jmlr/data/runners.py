"""Where shards are made: here one after another, or in processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from jmlr.data.raw_files import plain_bytes
from jmlr.data.shards import Maker
from jmlr.data.units import Unit

_WORTH_PROCESSES_BYTES = 24 << 20
"""Below this a second process costs more than it saves."""


def run_here(maker: Maker, units: Sequence[Unit]) -> Iterator[Path]:
    """The shards of the units, made one after another."""
    return (maker(unit) for unit in track(units, "reading", transient=True))


class RunInProcesses:
    """Makes shards in several processes of this machine, where there is enough to read.

    Args:
        workers: how many; 1 makes them here.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, maker: Maker, units: Sequence[Unit]) -> Iterator[Path]:
        """The shards in the order of the units."""
        size = sum(plain_bytes(file) for unit in units for file in unit.files)
        workers = min(self._workers, len(units))
        if workers < 2 or size < _WORTH_PROCESSES_BYTES:
            yield from run_here(maker, units)
            return
        # Each process has one core; the tokenizer would take all of them in every one.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            try:
                yield from track(pool.map(maker, units), "reading", total=len(units), transient=True)
            finally:
                pool.shutdown(cancel_futures=True)
