"""Questions a second of the evaluation's reading, in batches and one question at a time, with equal answers.

Reads a finished build (`make repro`): the joint arm's reader answers test questions with what the trained index gives.

    python benchmarks/evaluate.py                      # two threads, 96 questions, three turns
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median

import torch

from jmlr import config, telemetry
from jmlr.answering.answered import Answered
from jmlr.answering.answerer import Answerer, load_search
from jmlr.config import Settings
from jmlr.data.tables import read_passages, read_questions
from jmlr.files import write_json
from jmlr.index.candidates import mine
from jmlr.stages import layout

RESULTS = Path("benchmarks/results/evaluate.json")


def main(words: Sequence[str] | None = None) -> int:
    """Prints the table and writes benchmarks/results/evaluate.json."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=96)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 48])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(words)
    torch.set_num_threads(asked.threads)
    settings, passages = config.load(), read_passages(layout.PASSAGES)
    questions = [one for one in read_questions(layout.QUESTIONS) if one.split == "test"][: asked.questions]
    search = load_search(layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX, passages, settings)
    hits = mine(search, questions, settings.index.candidates)
    answerers = {
        size: Answerer.load_reader(layout.TRAINED_READER, passages, _with_batch(settings, size))
        for size in asked.batches
    }
    seconds: dict[int, list[float]] = {size: [] for size in asked.batches}
    answers: dict[int, list[Answered]] = {}
    for _ in range(asked.turns):  # in turns, so that other load meets all alike
        for size, answerer in answerers.items():
            start = time.perf_counter()
            answers[size] = answerer.read(questions, hits)
            seconds[size].append(time.perf_counter() - start)
    rates = {size: len(questions) / median(taken) for size, taken in seconds.items()}
    first = rates[asked.batches[0]]
    for size, rate in rates.items():
        pairs = zip(answers[size], answers[asked.batches[0]], strict=True)
        same = sum(one.chosen_index == other.chosen_index for one, other in pairs)
        print(f"{size:3d} a batch: {rate:6.1f} questions/s, {rate / first:4.1f} x, {same} answers the same")
    machine = f"{os.cpu_count()} cores, {asked.threads} threads, torch {torch.__version__}"
    write_json(RESULTS, {"date": str(date.today()), "machine": machine, "questions": len(questions), "rates": rates})
    return 0


def _with_batch(settings: Settings, size: int) -> Settings:
    return settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"questions_per_batch": size})})


if __name__ == "__main__":
    sys.exit(main())
