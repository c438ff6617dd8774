"""What an index is worth after training when only some of its passages are encoded anew.

Reads a finished build (`make repro`): questions of the split test are searched with the trained retriever in stores
where a share of the passages is encoded by the trained retriever and the rest still by the base retriever. The share is
drawn under several seeds, or holds the passages of the training questions' pools. Prints success@k.

    python benchmarks/partial_reencode.py
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import mean

import torch

from jmlr import config, telemetry
from jmlr.data.tables import read_passages, read_questions
from jmlr.evaluation.retrieval.rankings import measure_retrieval
from jmlr.files import write_json
from jmlr.index import candidates
from jmlr.index.encoding import PASSAGES_PER_BATCH
from jmlr.models.retriever import Retriever
from jmlr.stages import layout
from jmlr.training.pools import PassageStore
from jmlr.types import Question

RESULTS = Path("benchmarks/results/partial_reencode.json")
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
SEEDS = (1, 2, 3, 4, 5)


def main(words: Sequence[str] | None = None) -> int:
    """Prints the table and writes benchmarks/results/partial_reencode.json."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--k", type=int, nargs="+", default=[1, 5, 30])
    asked = parser.parse_args(words)
    settings = config.load()
    passages = read_passages(layout.PASSAGES)
    ids, texts = [passage.passage_id for passage in passages], [passage.indexed_text for passage in passages]
    questions = [question for question in read_questions(layout.QUESTIONS) if question.split == "test"]
    retrievers = [Retriever.load(f, settings.index) for f in (layout.BASE_RETRIEVER, layout.TRAINED_RETRIEVER)]
    with torch.inference_mode():
        old, new = (
            PassageStore.encode(retriever, texts, f"encoding with the {name} retriever")
            for name, retriever in zip(("base", "trained"), retrievers, strict=True)
        )
        batches = [
            questions[start : start + PASSAGES_PER_BATCH] for start in range(0, len(questions), PASSAGES_PER_BATCH)
        ]
        queries = torch.cat([retrievers[1].encode_queries([one.text for one in batch]) for batch in batches])
        scores = torch.stack([store.score_all(queries) for store in (old, new)])
    pools = {hit.passage_id for pool in candidates.read(layout.CANDIDATES).values() for hit in pool[:5]}
    rows = []
    for share in SHARES:
        drawn = [set(random.Random(seed).sample(ids, round(share * len(ids)))) for seed in SEEDS]
        rows.append(_row(f"{share:.0%} at random", drawn, (ids, scores, questions), asked.k))
    rows.append(
        _row(
            f"{len(pools) / len(ids):.0%}: best 5 of each training question", [pools], (ids, scores, questions), asked.k
        )
    )
    for row in rows:
        print(row["encoded anew"].ljust(45), "  ".join(f"success@{k} {row[f'success_at_{k}']:.3f}" for k in asked.k))
    write_json(RESULTS, {"date": str(date.today()), "passages": len(ids), "questions": len(questions), "rows": rows})
    return 0


def _row(
    name: str, drawn: Sequence[set[str]], ranked: tuple[list[str], torch.Tensor, list[Question]], cutoffs: Sequence[int]
) -> dict[str, str | float]:
    """Mean success@k over the draws; in each the drawn passages have the new store's scores."""
    ids, (old, new), questions = ranked
    measured = []
    for chosen in drawn:
        mixed = torch.where(torch.tensor([passage_id in chosen for passage_id in ids]), new, old)
        order = mixed.argsort(dim=1, descending=True, stable=True)[:, : max(cutoffs)].tolist()
        rankings = {q.question_id: [ids[n] for n in row] for q, row in zip(questions, order, strict=True)}
        measured.append(measure_retrieval(questions, rankings, list(cutoffs)))
    return {
        "encoded anew": name,
        **{f"success_at_{k}": mean(one[f"success_at_{k}"] for one in measured) for k in cutoffs},
    }


if __name__ == "__main__":
    sys.exit(main())
