"""Build time, size, latency and recall of each search, beside colbert-ai with its defaults, on the same embeddings.

    python benchmarks/index.py --data ../shared/data                       # 3,000 and 30,000 passages
    python benchmarks/index.py --data ../shared/data --sizes 300000 --mined 0

Embeddings are made once a size and kept in `--work`; encoding passages is in no figure. Latency is of one query at a
time, encoded before; the arms take turns at every query. Recall@10: how many of the exact ten are found. Mining, in one
batched pass and one question at a time, does encode its questions. CPU seconds are of all threads: on a machine that
others use they tell more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import index_corpus
import measurement
import numpy as np
import tables
import torch
from index_arms import ARMS, COLBERT, EXACT, PLAID, build, searcher

from jmlr import telemetry
from jmlr.index import candidates, manifest
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import score_all
from jmlr.index.search import Searcher
from jmlr.models.retriever import Retriever
from jmlr.types import Question

RESULTS = Path("benchmarks/results/index.jsonl")
K = 10
EXACT_QUERIES, GOLD_BATCH = 20, 16


def main(words: Sequence[str] | None = None) -> int:
    """Measures every size, writes the JSON and prints the tables."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = parse(words)
    torch.set_num_threads(asked.threads)
    rows: list[dict[str, Any]] = []
    for size in asked.sizes:
        mined = asked.mine_with if asked.mined and size <= index_corpus.ENCODED else []
        for row in chain(measure(size, asked), (mine(size, arm, asked) for arm in mined)):
            rows.append({"passages": size, **row, **conditions(asked)})
            append(asked.results, rows[-1])
    print(tables.index(rows))
    print(f"{rows[-1]['machine']}; {asked.threads} threads; {COLBERT}: its defaults")
    return 0


def conditions(asked: argparse.Namespace) -> dict[str, Any]:
    """When and where a row was measured."""
    return {
        "date": date.today().isoformat(),
        "machine": f"{measurement.machine('cpu')}; 1-minute load when done {os.getloadavg()[0]:.1f}",
        "threads": asked.threads,
    }


def append(results: Path, row: dict[str, Any]) -> None:
    """Adds a row to the results, so that a run that is cut off has left what it measured."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
    print(json.dumps(row), file=sys.stderr, flush=True)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with medquad/ and pubmedqa/ as published")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 30_000])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--mined", type=int, default=10_000, help="questions mined in one pass; 0: none")
    parser.add_argument("--one-by-one", type=int, default=300, help="of these, how many are also mined one by one")
    parser.add_argument("--mine-with", nargs="+", default=[EXACT, PLAID], choices=[EXACT, PLAID])
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_index"), help="files are left here")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args(words)


def measure(size: int, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Build, size, latency and recall of every arm at one size."""
    generation = index_corpus.embedded(asked.data, asked.work, size, asked.seed)
    stored = StoredEmbeddings.open(generation)
    folders = {arm: asked.work / "arms" / f"{arm.replace(', ', '-').replace(' ', '-')}-{size}" for arm in asked.arms}
    built = {arm: built_row(arm, stored, folder, asked.seed) for arm, folder in folders.items()}
    queries = encoded_questions(asked)
    gold = exact_tops(stored, queries)
    searches = {arm: searcher(arm, stored, folder) for arm, folder in folders.items()}
    searched = search_in_turns(searches, queries)
    rows = [{"arm": arm, **built[arm], **search_row(searched[arm], gold)} for arm in searches]
    return [{"embeddings": len(stored.vectors), **row} for row in rows]


def built_row(arm: str, stored: StoredEmbeddings, folder: Path, seed: int) -> dict[str, Any]:
    """Seconds of a build and bytes of its files; those of the stored embeddings for the exact search."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wall, cpu = timed(lambda: build(arm, stored, folder, seed))
    size = sum(file.stat().st_size for file in folder.iterdir()) or stored.vectors.nbytes
    return {"build_seconds": wall, "build_cpu_seconds": cpu, "bytes": size}


def encoded_questions(asked: argparse.Namespace) -> torch.Tensor:
    """The queries, float32 (B, Q, H)."""
    retriever = Retriever.load(index_corpus.retriever(asked.data, asked.work, asked.seed), index_corpus.SETTINGS)
    texts = [question.text for question in index_corpus.questions(asked.data, asked.queries, asked.seed)]
    with torch.inference_mode():
        return torch.cat([retriever.encode_queries(texts[start : start + 32]) for start in range(0, len(texts), 32)])


def exact_tops(stored: StoredEmbeddings, queries: torch.Tensor) -> list[set[int]]:
    """The numbers of the K best passages of each query."""
    tops = []
    for batch in queries.split(GOLD_BATCH):
        tops += [set(row.topk(K).indices.tolist()) for row in score_all(stored.tokens, batch)]
    return tops


def search_in_turns(searches: dict[str, Callable], queries: torch.Tensor) -> dict[str, list[tuple[Any, float, float]]]:
    """Found passages, wall and CPU seconds of every query; the first ones are searched once before, to warm up."""
    seen: dict[str, list[tuple[Any, float, float]]] = {arm: [] for arm in searches}
    for number, query in enumerate([*queries[:2], *queries]):
        for arm, search in searches.items():
            if arm == EXACT and number >= EXACT_QUERIES + 2:
                continue  # its latency hardly differs between queries, its recall is known
            found: list[Any] = []
            wall, cpu = timed(lambda search=search, query=query, found=found: found.append(search(query, K)))
            if number >= 2:
                seen[arm].append((found[0], wall, cpu))
    return seen


def timed(step: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of a step."""
    start, cpu_start = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - start, time.process_time() - cpu_start


def search_row(seen: list[tuple[Any, float, float]], gold: list[set[int]]) -> dict[str, float]:
    """Latency in milliseconds and recall."""
    walls = [1000 * wall for _, wall, _ in seen]
    hits = [len(set(found) & best) / K for (found, _, _), best in zip(seen, gold, strict=False)]
    return {
        "queries": len(seen),
        "p50_ms": float(np.median(walls)),
        "p99_ms": float(np.quantile(walls, 0.99)),
        "cpu_ms": 1000 * float(np.mean([cpu for _, _, cpu in seen])),
        "recall": float(np.mean(hits)),
    }


def mine(size: int, arm: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Mining in one pass and one by one; the pool has as many passages as the settings say."""
    generation = index_corpus.embedded(asked.data, asked.work, size, asked.seed)
    if arm == PLAID:
        built_row(arm, StoredEmbeddings.open(generation), generation / manifest.PLAID_FOLDER, asked.seed)
    retriever = Retriever.load(index_corpus.retriever(asked.data, asked.work, asked.seed), index_corpus.SETTINGS)
    made = Searcher(generation, retriever, manifest.read(generation), arm)
    questions = index_corpus.questions(asked.data, asked.mined, asked.seed)
    return {"arm": arm, **mined_row(made, questions, asked.one_by_one)}


def mined_row(searcher: Searcher, questions: list[Question], one_by_one: int) -> dict[str, float]:
    """One by one on a sample of the questions, before and after the batched pass over all of them."""
    pool, sample = index_corpus.SETTINGS.candidates, questions[:one_by_one]
    searcher.search([sample[0].text], pool)

    def alone(some: list[Question]) -> tuple[float, float]:
        return timed(lambda: [searcher.search([question.text], pool) for question in some])

    before = alone(sample[::2])
    batched = timed(lambda: candidates.mine(searcher, questions, pool))
    after = alone(sample[1::2])
    wall, cpu = ((first + second) / len(sample) for first, second in zip(before, after, strict=True))
    return {
        "questions": len(questions),
        "batched_ms": 1000 * batched[0] / len(questions),
        "batched_cpu_ms": 1000 * batched[1] / len(questions),
        "one_by_one_ms": 1000 * wall,
        "one_by_one_cpu_ms": 1000 * cpu,
    }


if __name__ == "__main__":
    sys.exit(main())
