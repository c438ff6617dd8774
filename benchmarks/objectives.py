"""Sets the retriever's objectives side by side on the starter: same base models, seeds, questions and number of steps.

    dvc repro index && python benchmarks/objectives.py --seeds 1 2 3

A seed makes its own base reader and its own order of questions and draws of passages; every arm of a seed starts from
that reader and from the one base retriever. Every (seed, arm) is evaluated on the split `test`, whose conditions no
training question asks about; with --held-out on those of dev and on 25 training conditions, left out of the training:
what settings are chosen by. Finished ones are kept in the JSON lines file, so a run that is cut off goes on, and
several processes may share the work by arms or, once the readers are there, by seeds. The table is printed at the end;
intervals are Student's t over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch

from jmlr import telemetry
from jmlr.answering.answerer import Answerer
from jmlr.data.tables import read_passages, read_questions
from jmlr.evaluation.retrieval.rankings import success_at
from jmlr.index import candidates, generation
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.models import reader as readers
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.settings import Settings, params
from jmlr.stages import layout
from jmlr.starter import base_reader
from jmlr.training.joint import ArmRun, Corpus, JointModel, train_arm
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.sink import History
from jmlr.types import Hit, Passage, Question

RESULTS = Path("benchmarks/results/objectives.jsonl")
HELD_OUT_RESULTS = layout.BUILD / "benchmarks" / "held_out.jsonl"
HELD_OUT_CONDITIONS = 25
READERS = layout.BUILD / "benchmarks" / "readers"
PAPER: dict[str, Any] = {
    "objective": {"scores": "minmax", "pair_weight": "uniform", "weight": 1.0},
    "sampling": {"passages": 10, "sharpness": 1.0, "passages_with_gradient": None},
}
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "closed_book": ("closed_book", {}),
    "rag": ("rag", {}),
    "jmlr": ("jmlr", {}),
    "jmlr, PDist": ("jmlr", {"objective": {"name": "pdist", "pair_weight": "uniform", "weight": 1.0}}),
    "jmlr, the paper's exact form": ("jmlr", PAPER),
}
MORE_ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "jmlr, EMDR2": ("jmlr", {"objective": {"name": "emdr2", "pair_weight": "uniform", "weight": 1.0}}),
    "jmlr, REPLUG-LSR": (
        "jmlr",
        {"objective": {"name": "replug_lsr", "pair_weight": "uniform", "weight": 1.0, "beta": 10.0}},
    ),
    "jmlr, REPLUG-LSR, beta 1": (
        "jmlr",
        {"objective": {"name": "replug_lsr", "pair_weight": "uniform", "weight": 1.0}},
    ),
    "jmlr, LOOP": ("jmlr", {"objective": {"name": "loop", "pair_weight": "uniform", "weight": 1.0}}),
    "jmlr, min-max scaled scores": ("jmlr", {"objective": {"scores": "minmax"}}),
    "jmlr, all pairs alike": ("jmlr", {"objective": {"pair_weight": "uniform"}}),
    "jmlr, sampling not sharpened": ("jmlr", {"sampling": {"sharpness": 1.0}}),
}
"""Other objectives, and the default with one part of it as in the paper; run where --arms names them. REPLUG's own beta
is 10; with 1 its target is nearly the same for all passages."""
EVERY_ARM = ARMS | MORE_ARMS


def main() -> None:
    """Runs what is missing and prints the table."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(EVERY_ARM))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--held-out", action="store_true", help="evaluate on held-out training conditions and dev")
    parser.add_argument("--print-only", action="store_true", help="print what is there, run nothing")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    file = HELD_OUT_RESULTS if asked.held_out else RESULTS
    file.parent.mkdir(parents=True, exist_ok=True)
    settings = params.load()
    for seed in asked.seeds if not asked.print_only else []:
        for arm in asked.arms:
            if not any(row["seed"] == seed and row["arm"] == arm for row in finished(file)):
                row = measure(settings, seed, arm, asked.held_out)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
    print(tables.objectives(finished(file)))


def finished(file: Path) -> list[dict[str, Any]]:
    """The rows that earlier runs left."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def split(questions: Sequence[Question], held_out: bool) -> tuple[list[Question], list[Question]]:
    """The questions to train on, and those to evaluate on."""
    training = [question for question in questions if question.split == "train"]
    if not held_out:
        return training, [question for question in questions if question.split == "test"]
    conditions = sorted({question.subject for question in training if question.subject})
    held = set(random.Random(7).sample(conditions, HELD_OUT_CONDITIONS))
    dev = [question for question in questions if question.split == "dev"]
    return [q for q in training if q.subject not in held], [q for q in training if q.subject in held] + dev


def measure(settings: Settings, seed: int, name: str, held_out: bool = False) -> dict[str, Any]:
    """Trains one arm under one seed and evaluates it on the split `test`, or on what is held out of training."""
    arm, changes = EVERY_ARM[name]
    blocks = settings.train.model_dump()
    training = type(settings.train).model_validate(
        {**blocks, **{name: {**blocks[name], **block} for name, block in changes.items()}}
    )
    questions, passages = read_questions(layout.QUESTIONS), read_passages(layout.PASSAGES)
    asked, test = split(questions, held_out)
    words = [*(p.indexed_text for p in passages), *(q.text for q in questions if q.split == "train")]
    folder = base_reader_of(seed, settings, words)
    torch.manual_seed(seed)
    reader, tokenizer = readers.load(folder)
    retriever = None if arm == "closed_book" else Retriever.load(layout.BASE_RETRIEVER, settings.index)
    store = PassageStore.from_index(StoredEmbeddings.open(generation.current(layout.INDEX)))
    pools = Pools(asked, passages, candidates.read(layout.CANDIDATES), store, settings.index.candidates)
    writer = PromptWriter(tokenizer, settings.prompt)
    model = JointModel(arm, (retriever, reader), writer, Corpus(asked, passages, pools), training)
    with tempfile.TemporaryDirectory() as folder:
        cost = train_arm(model, ArmRun(seed, Path(folder), History(name, None)))
    answerer = Answerer(reader.eval(), writer, {p.passage_id: p for p in passages}, settings)
    start = time.monotonic()
    hits = retrieve(retriever, passages, test, settings.index.candidates)
    gold = [[Hit(passage_id, 0.0) for passage_id in question.gold_passage_ids] for question in test]
    row = {
        "seed": seed,
        "arm": name,
        "accuracy": accuracy(answerer, test, hits),
        "gold_accuracy": accuracy(answerer, test, gold),
        "train_seconds": round(cost["seconds"], 1),
        "evaluate_seconds": round(time.monotonic() - start, 1),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "date": date.today().isoformat(),
    }
    for k in (1, 2, 30):
        ranked = [[hit.passage_id for hit in found] for found in hits]
        row[f"success_at_{k}"] = float(
            np.mean([success_at(k, r, q.gold_passage_ids) for r, q in zip(ranked, test, strict=True)])
        )
    return row


def base_reader_of(seed: int, settings: Settings, texts: list[str]) -> Path:
    """The starter reader pre-trained under `seed` as the stage base does, made at the first call."""
    if seed == settings.seed:
        return layout.BASE_READER
    folder = READERS / str(seed)
    if not folder.exists():
        unfinished = folder.with_name(f".{seed}.{os.getpid()}.unfinished")
        base_reader.create(unfinished, texts, settings.base.reader.starter, settings.prompt, seed)
        unfinished.rename(folder)
    return folder


def retrieve(
    retriever: Retriever | None, passages: Sequence[Passage], questions: Sequence[Question], count: int
) -> list[list[Hit]]:
    """Exact MaxSim over all passages, encoded anew."""
    if retriever is None:
        return [[] for _ in questions]
    store = PassageStore.encode(retriever, [passage.indexed_text for passage in passages])
    found: list[list[Hit]] = []
    with torch.inference_mode():
        for start in range(0, len(questions), 16):
            queries = retriever.encode_queries([question.text for question in questions[start : start + 16]])
            places = store.search(queries, count)
            scores = store.score(queries, places)
            found += [
                [Hit(passages[place].passage_id, score) for place, score in zip(row, values, strict=True)]
                for row, values in zip(places.tolist(), scores.tolist(), strict=True)
            ]
    return found


def accuracy(answerer: Answerer, questions: Sequence[Question], hits: Sequence[Sequence[Hit]]) -> float:
    """Share of questions whose likeliest option is right."""
    by_id = {question.question_id: found for question, found in zip(questions, hits, strict=True)}
    answered = answerer.read(questions, by_id)
    return float(np.mean([a.chosen_index == q.answer_index for a, q in zip(answered, questions, strict=True)]))


if __name__ == "__main__":
    main()
