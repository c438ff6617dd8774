"""Encoding passages: each text once, batches of like length, by several processes, going on where it was cut off."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from jmlr import fingerprint
from jmlr.files import sync
from jmlr.index.embeddings import OFFSETS_FILE, VECTORS_FILE, StoredEmbeddings
from jmlr.models.retriever import Retriever
from jmlr.settings import IndexSettings
from jmlr.types import Passage

PASSAGES_PER_BATCH = 32

_DONE_FILE = ".encoded"
_BATCHES_PER_TASK = 8
_COUNTED_AT_ONCE = 256
_CORES_A_PROCESS, _FEWEST_TEXTS_A_PROCESS = 4, 2000


@dataclass(frozen=True)
class Source:
    """The retriever that encodes.

    Attributes:
        retriever: loaded in this process.
        folder: its checkpoint, for further processes.
        settings: lengths in retriever tokens.
    """

    retriever: Retriever
    folder: Path
    settings: IndexSettings


def suitable_processes(text_count: int) -> int:
    """How many processes encode: one a GPU, or one for 4 cores; each gets 2,000 texts or more, or this one has all."""
    most = torch.cuda.device_count() or _cores() // _CORES_A_PROCESS
    return max(1, min(most, text_count // _FEWEST_TEXTS_A_PROCESS))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Known:
    """Embeddings that the same retriever made before.

    Attributes:
        stored: the embeddings.
        places: int64 (N,), the place in `stored` of each text that is to be indexed; -1: a new text.
    """

    stored: StoredEmbeddings
    places: np.ndarray

    @classmethod
    def find(cls, stored: StoredEmbeddings, passages: Sequence[Passage]) -> Known:
        """Looks the texts of the passages up by their hashes, whatever their ids."""
        place_of = {text_hash: place for place, text_hash in enumerate(stored.text_hashes)}
        hashes = [fingerprint.of_text(passage.indexed_text) for passage in passages]
        return cls(stored, np.array([place_of.get(text_hash, -1) for text_hash in hashes], dtype=np.int64))


@dataclass(frozen=True)
class Plan:
    """What is to be encoded, and where each text's embeddings go.

    Attributes:
        texts: in the order of the passages.
        offsets: int64 (N + 1,), places of the texts' first embeddings.
        tasks: the new texts' numbers in batches of like length, the longest first; a task is some batches.
        tokens: of each task, padding included.
    """

    texts: Sequence[str]
    offsets: np.ndarray
    tasks: list[list[np.ndarray]]
    tokens: np.ndarray

    @classmethod
    def make(cls, retriever: Retriever, texts: Sequence[str], known: Known | None) -> Plan:
        """Counts the tokens of every text that is not known."""
        tokens, counts = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
        new = np.arange(len(texts))
        if known is not None:
            new, old = np.flatnonzero(known.places < 0), np.flatnonzero(known.places >= 0)
            counts[old] = known.stored.lengths[known.places[old]]
        for start in range(0, len(new), _COUNTED_AT_ONCE):
            some = new[start : start + _COUNTED_AT_ONCE]
            tokens[some], counts[some] = retriever.measure([texts[number] for number in some])
        # The longest first, so that too little memory shows at once; neighbours of like length waste little padding.
        order = new[np.argsort(-tokens[new], kind="stable")]
        batches = [order[start : start + PASSAGES_PER_BATCH] for start in range(0, len(order), PASSAGES_PER_BATCH)]
        tasks = [batches[start : start + _BATCHES_PER_TASK] for start in range(0, len(batches), _BATCHES_PER_TASK)]
        padded = [sum(len(batch) * int(tokens[batch[0]]) for batch in task) for task in tasks]
        return cls(texts, np.concatenate(([0], np.cumsum(counts))), tasks, np.array(padded, dtype=np.int64))

    def task(self, number: int) -> list[tuple[np.ndarray, list[str]]]:
        """The batches of a task: numbers and texts."""
        return [(batch, [self.texts[pid] for pid in batch]) for batch in self.tasks[number]]


def encode(source: Source, plan: Plan, folder: Path, known: Known | None) -> None:
    """Writes embeddings.npy and offsets.npy into `folder`, each embedding at its final place, so memory stays small.

    Every finished task is noted: after a kill the next try with the same plan encodes only what is missing.
    """
    shape = int(plan.offsets[-1]), source.retriever.dimension
    file, done = folder / VECTORS_FILE, folder / _DONE_FILE
    if not file.exists() or not done.exists():
        vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
        if known is not None:
            for number in np.flatnonzero(known.places >= 0):
                first, end = known.stored.offsets[known.places[number] :][:2]
                vectors[plan.offsets[number] : plan.offsets[number + 1]] = known.stored.vectors[first:end]
        np.save(folder / OFFSETS_FILE, plan.offsets)
        done.touch()
    finished = {int(number) for number in done.read_text(encoding="utf-8").split()}
    left = [number for number in range(len(plan.tasks)) if number not in finished]
    with done.open("a", encoding="utf-8") as notes:
        for number in _progress(_run(source, plan, file, left), plan, left):
            sync(file)  # before the word that it is there
            notes.write(f"{number}\n")
            notes.flush()
    done.unlink()


def _run(source: Source, plan: Plan, file: Path, left: Sequence[int]) -> Iterator[int]:
    """Encodes the tasks, and gives each one's number when its embeddings are written.

    The first one is encoded here, before the estimate is printed; the others here or by further processes.
    """
    processes = suitable_processes(sum(len(batch) for number in left for batch in plan.tasks[number]))
    here = left[:1] if processes > 1 else left
    for place, number in enumerate(here):
        started = time.monotonic()
        write_batches(source.retriever, plan.task(number), file, plan.offsets)
        if place == 0:
            seconds = (time.monotonic() - started) / plan.tokens[number] * plan.tokens[list(left[1:])].sum() / processes
            print(f"index: encoding takes about {seconds:.0f} s with {processes} process(es)", flush=True)
        yield number
    yield from _run_in_processes(source, plan, file, left[len(here) :], processes)


def _run_in_processes(source: Source, plan: Plan, file: Path, left: Sequence[int], processes: int) -> Iterable[int]:
    if not left:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        submitted = [
            pool.submit(_work, (source.folder, source.settings), processes, number, plan.task(number), file)
            for number in left
        ]
        try:
            yield from (task.result() for task in submitted)
        finally:
            pool.shutdown(cancel_futures=True)


def _work(
    retriever: tuple[Path, IndexSettings],
    processes: int,
    number: int,
    batches: list[tuple[np.ndarray, list[str]]],
    file: Path,
) -> int:
    """One task in a process of the pool."""
    write_batches(_loaded(*retriever, processes), batches, file, np.load(file.with_name(OFFSETS_FILE), mmap_mode="r"))
    return number


@cache
def _loaded(folder: Path, settings: IndexSettings, processes: int) -> Retriever:
    """This process's retriever: on a GPU of its own, or with its share of the cores."""
    from multiprocessing import current_process

    retriever = Retriever.load(folder, settings)
    if torch.cuda.is_available():
        return retriever.to(f"cuda:{(current_process()._identity[0] - 1) % torch.cuda.device_count()}")
    torch.set_num_threads(max(1, _cores() // processes))
    return retriever


def write_batches(
    retriever: Retriever, batches: Iterable[tuple[np.ndarray, list[str]]], file: Path, offsets: np.ndarray
) -> None:
    """Encodes batches of texts and writes their embeddings to their places in the file."""
    vectors = np.load(file, mmap_mode="r+")
    for numbers, texts in batches:
        with torch.inference_mode():
            encoded, mask = retriever.encode_passages(texts)
        encoded, mask = encoded.half().cpu().numpy(), mask.cpu().numpy()
        for number, row, counts in zip(numbers, encoded, mask, strict=True):
            vectors[offsets[number] : offsets[number + 1]] = row[counts]


def _progress(numbers: Iterable[int], plan: Plan, left: Sequence[int]) -> Iterator[int]:
    """Passes the numbers on and shows how much of the tokens is encoded."""
    with Progress(transient=True) as shown:
        bar = shown.add_task(f"encoding {len(plan.texts):,} passages", total=float(plan.tokens[list(left)].sum()))
        for number in numbers:
            shown.advance(bar, float(plan.tokens[number]))
            yield number
