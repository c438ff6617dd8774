"""How well gold passages are found: BM25, the untrained and the trained retriever, exactly and by PLAID, and fused.

    python benchmarks/retrieval.py                              # build/ of the recipe in params.yaml, about a minute
    python benchmarks/retrieval.py --build /a/checkout/build --params /a/checkout/params.yaml

Needs a finished build: ingest, base, index and train. An index that was built for exact search alone is compressed for
PLAID here, from its own embeddings, beside the results. Intervals are percentile bootstraps over questions; differences
are paired, on the same questions. They do not cover the seed of the training. The results of other recipes stay in the
file.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch

from jmlr import telemetry
from jmlr.answering.answerer import load_searcher
from jmlr.data.tables import read_passages, read_questions
from jmlr.evaluation.metrics import ranking_metrics
from jmlr.evaluation.retrieval.rankings import measures_by_question
from jmlr.evaluation.statistics.accuracy import Interval, bootstrap_interval, mean_interval
from jmlr.files import write_json
from jmlr.index import candidates, plaid
from jmlr.index.bm25 import Bm25
from jmlr.index.exact import ExactBackend
from jmlr.index.fusion import Hybrid, PassageSearch
from jmlr.index.plaid_search import PlaidBackend
from jmlr.settings import Settings, params
from jmlr.stages import layout
from jmlr.types import Passage, Question

RESULTS = Path("benchmarks/results/retrieval.json")
PAIRS = {
    "untrained": (layout.BASE_RETRIEVER, layout.INDEX),
    "trained": (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
}
COMPARED = (
    ("trained, exact", "untrained, exact"),
    ("trained, exact", "BM25"),
    ("untrained, PLAID", "untrained, exact"),
    ("trained, PLAID", "trained, exact"),
    ("trained + BM25", "trained, exact"),
    ("trained + BM25", "BM25"),
)
"""Rows (first, second) whose difference first - second is reported."""

Rankings = dict[str, list[str]]


def main(words: Sequence[str] | None = None) -> int:
    """Searches by every row's way, measures, writes the JSON and prints the tables."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = parse(words)
    torch.set_num_threads(asked.threads)
    settings = params.load(asked.params)
    passages = read_passages(placed(layout.PASSAGES, asked.build))
    splits = set(settings.evaluate.splits)
    questions = [
        question
        for question in read_questions(placed(layout.QUESTIONS, asked.build))
        if question.split in splits and question.gold_passage_ids
    ]
    with tempfile.TemporaryDirectory() as scratch:
        searches = make_searches(settings, passages, asked.build, Path(scratch))
        found = {name: search(way, questions, settings) for name, way in searches.items()}
    result = {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {asked.threads} threads, torch {torch.__version__}",
        "passages": len(passages),
        "seed": settings.evaluate.seed,
        "bootstrap_samples": settings.evaluate.bootstrap_samples,
        "confidence": settings.evaluate.confidence,
        "milliseconds_a_question": {name: round(1000 * seconds, 2) for name, (_, seconds) in found.items()},
        "splits": {
            split: summarise(settings, of_split, {name: rankings for name, (rankings, _) in found.items()})
            for split in settings.evaluate.splits
            if (of_split := [question for question in questions if question.split == split])
        },
    }
    write_json(asked.results, {**before(asked.results), settings.recipe: result})
    print(f"{settings.recipe}\n\n{tables.retrieval(result)}")
    return 0


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=layout.BUILD, help="the folder of a finished build")
    parser.add_argument("--params", type=Path, default=params.PARAMS_FILE, help="what it was built with")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args(words)


def placed(path: Path, build: Path) -> Path:
    """Where a file of the layout lies in another build folder."""
    return build / path.relative_to(layout.BUILD)


def before(results: Path) -> dict[str, Any]:
    """What the file of results holds of earlier runs."""
    return json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}


def make_searches(
    settings: Settings, passages: Sequence[Passage], build: Path, scratch: Path
) -> dict[str, PassageSearch]:
    """Every row's search, in the order of the table."""
    bm25 = Bm25(passages)
    searches: dict[str, PassageSearch] = {"BM25": bm25}
    hybrids: dict[str, PassageSearch] = {}
    for name, folders in PAIRS.items():
        retriever, index = (placed(folder, build) for folder in folders)
        searcher = load_searcher(retriever, index, passages, settings)
        exact, compressed = copy.copy(searcher), copy.copy(searcher)
        exact.backend = ExactBackend(searcher.stored)
        if searcher.manifest.backend != "plaid":
            (scratch / name).mkdir()
            plaid.write(searcher.stored, settings.index, scratch / name, settings.seed)
            compressed.backend = PlaidBackend(scratch / name, searcher.stored)
        searches |= {f"{name}, exact": exact, f"{name}, PLAID": compressed}
        hybrids[f"{name} + BM25"] = Hybrid(exact, bm25)
    return {**searches, **hybrids}


def search(way: PassageSearch, questions: Sequence[Question], settings: Settings) -> tuple[Rankings, float]:
    """Each question's ranking, and the seconds a question took, its encoding included."""
    way.search([questions[0].text], 1)  # what is done once is not timed
    started = time.perf_counter()
    hits = candidates.mine(way, questions, max(settings.index.candidates, *settings.evaluate.recall_at))
    seconds = (time.perf_counter() - started) / len(questions)
    return {name: [hit.passage_id for hit in found] for name, found in hits.items()}, seconds


def summarise(settings: Settings, questions: Sequence[Question], rankings: Mapping[str, Rankings]) -> dict[str, Any]:
    """One split's measures, their paired differences, and how much of the exact rankings PLAID finds."""
    metrics = ranking_metrics(settings.evaluate.recall_at)
    values = {name: measures_by_question(questions, found, metrics) for name, found in rankings.items()}

    def bounded(of_questions: np.ndarray, interval_of: Callable[..., Interval] = mean_interval) -> dict[str, float]:
        interval = interval_of(of_questions, settings.evaluate)
        return {key: round(getattr(interval, key), 6) for key in ("value", "low", "high")}

    return {
        "questions": len(questions),
        "rows": {name: {key: bounded(each) for key, each in own.items()} for name, own in values.items()},
        "differences": {
            f"{first} - {second}": {
                key: bounded(values[first][key] - values[second][key], bootstrap_interval) for key in values[first]
            }
            for first, second in COMPARED
        },
        "share_of_exact_found_by_plaid": {
            name: {
                f"first_{k}": round(overlap(questions, rankings[f"{name}, exact"], rankings[f"{name}, PLAID"], k), 6)
                for k in (1, 10, 30)
            }
            for name in PAIRS
        },
    }


def overlap(questions: Sequence[Question], exact: Rankings, other: Rankings, k: int) -> float:
    """Mean share of the first k of the exact ranking that are among the other's first k."""
    shares = [
        len(set(exact[question.question_id][:k]) & set(other[question.question_id][:k]))
        / len(exact[question.question_id][:k])
        for question in questions
    ]
    return float(np.mean(shares))


if __name__ == "__main__":
    sys.exit(main())
