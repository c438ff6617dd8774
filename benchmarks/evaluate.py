"""Questions a second of the evaluation: plainly, by our path one question at a time, and by it in batches.

Reads a finished build (`make repro`): the trained retriever and index find passages for test questions, the joint arm's
reader weighs their options. All ways must give the same scores to 1e-4 nats and the same answers, or the exit status is
1. Seconds are CPU seconds of this process: on a machine that others use they tell more than the clock.

    python benchmarks/evaluate.py                      # one thread, 96 questions, three turns
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import plain_answering
import tables
import torch

from jmlr import telemetry
from jmlr.answering.answerer import Answerer, load_search
from jmlr.answering.generation import say
from jmlr.data.tables import read_passages, read_questions
from jmlr.files import write_json
from jmlr.index.candidates import mine
from jmlr.index.fusion import PassageSearch
from jmlr.settings import Settings, params
from jmlr.stages import layout
from jmlr.types import Hit, Question

RESULTS = Path("benchmarks/results/evaluate.json")
ALLOWED_NATS = 1e-4
PARTS = ("retrieve", "read", "say")
SEARCHES, READINGS = 2, 11
"""Of a question with the starter's settings: two retrievers; three arms, four controls, four without a passage."""

Hits = dict[str, list[Hit]]
Way = dict[str, Callable[[], Any]]
"""What does each of PARTS."""


def ways(search: PassageSearch, answerers: Mapping[int, Answerer], questions: Sequence[Question], hits: Hits) -> dict:
    """Each way of answering by its name; `say` writes 25 tokens a question, which has no plainer form."""
    one = next(iter(answerers.values()))
    count = one.settings.index.candidates

    def scores(answerer: Answerer) -> dict[str, list[float]]:
        return {found.question_id: list(found.option_scores) for found in answerer.read(questions, hits)}

    def spoken(answerer: Answerer) -> dict[str, str]:
        return say(answerer, questions, hits, answerer.writer.answer_room + 1)

    found: dict[str, Way] = {
        "plain": {
            "retrieve": lambda: plain_answering.retrieve(search, questions, count),
            "read": lambda: plain_answering.read(one, questions, hits),
        }
    }
    for size, answerer in answerers.items():
        found[f"ours, {size} a batch"] = {
            "retrieve": lambda size=size: mine(search, questions, count) if size > 1 else found["plain"]["retrieve"](),
            "read": lambda answerer=answerer: scores(answerer),
            "say": lambda answerer=answerer: spoken(answerer),
        }
    return found


def take_turns(found: Mapping[str, Way], turns: int) -> tuple[dict, dict]:
    """Median CPU seconds of every part of every way, in turns, so that other load meets all alike; and the scores."""
    seen: dict[str, dict[str, list[float]]] = {name: {part: [] for part in way} for name, way in found.items()}
    scores = {}
    for _ in range(turns):
        for name, way in found.items():
            for part, do in way.items():
                start = time.process_time()
                result = do()
                seen[name][part].append(time.process_time() - start)
                if part == "read":
                    scores[name] = result
    return {name: {part: median(taken) for part, taken in parts.items()} for name, parts in seen.items()}, scores


def rates(seconds: Mapping[str, float], questions: int) -> dict[str, float]:
    """Questions a CPU second of each part, of finding and reading once, and of an evaluation."""
    found = {part: questions / seconds[part] for part in PARTS if part in seconds}
    found["retrieve and read"] = questions / (seconds["retrieve"] + seconds["read"])
    found["evaluation"] = questions / (SEARCHES * seconds["retrieve"] + READINGS * seconds["read"])
    return found


def largest_difference(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    """The largest difference of an option's score from the plain way's, nats; infinite where a choice differs."""
    most = 0.0
    for other in scores.values():
        for name, row in scores["plain"].items():
            if max(range(len(row)), key=row.__getitem__) != max(range(len(row)), key=other[name].__getitem__):
                return float("inf")
            most = max(most, *(abs(a - b) for a, b in zip(row, other[name], strict=True)))
    return most


def main(words: Sequence[str] | None = None) -> int:
    """Prints the table and writes benchmarks/results/evaluate.json."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = _options(words)
    torch.set_num_threads(asked.threads)
    settings, passages = params.load(), read_passages(layout.PASSAGES)
    questions = [one for one in read_questions(layout.QUESTIONS) if one.split == "test"][: asked.questions]
    search = load_search(layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX, passages, settings)
    hits = mine(search, questions, settings.index.candidates)
    answerers = {
        size: Answerer.load_reader(layout.TRAINED_READER, passages, _with_batch(settings, size))
        for size in asked.batches
    }
    seconds, scores = take_turns(ways(search, answerers, questions, hits), asked.turns)
    found = {name: rates(parts, len(questions)) for name, parts in seconds.items()}
    difference = largest_difference(scores)
    print(tables.answering({"rates": found}))
    print(f"an evaluation: {SEARCHES} searches and {READINGS} readings a question, as the starter's settings ask for")
    print(f"scores differ by {difference:.1e} nats at most")
    machine = f"{os.cpu_count()} cores, {asked.threads} threads, torch {torch.__version__}"
    told = {"date": str(date.today()), "machine": machine, "questions": len(questions), "turns": asked.turns}
    write_json(asked.results, {**told, "largest_difference_nats": difference, "cpu_seconds": seconds, "rates": found})
    return int(difference > ALLOWED_NATS)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=96)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 48])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args(words)


def _with_batch(settings: Settings, size: int) -> Settings:
    return settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"questions_per_batch": size})})


if __name__ == "__main__":
    sys.exit(main())
