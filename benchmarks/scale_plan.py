"""What the paper's 13B training and an index of all of PubMed would take: sizes, hours and money, from stated inputs.

    python benchmarks/scale_plan.py
    python benchmarks/scale_plan.py --mfu 0.3 --gpu-price 2.0 --abstracts 1000000

Every input is printed with where it comes from: *measured* here (docs/benchmarks.md), a *setting* of conf/recipe/, a
*fact* of the models, or an *assumption* that you change by its flag. Nothing of it was run at this size.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jmlr.settings import Settings, recipes
from jmlr.training.cost.flops import Size

ROOT = Path(__file__).parents[1]

READER_PARAMETERS = 12.69e9  # Llama-2-13B without embeddings and output layer
READER_EMBEDDINGS = 2 * 32_000 * 5_120  # they train in full beside the adapters
RETRIEVER_PARAMETERS = 85.1e6  # BERT base without embeddings
LORA_PARAMETERS = 8 * 40 * 4 * 2 * 5_120  # rank 8 on four square projections of 40 layers
DIMENSIONS = 128
PAPER_GPU_HOURS = 148.0
# docs/benchmarks.md, "The index": PLAID's build at the largest size, on one thread
MEASURED_EMBEDDINGS, MEASURED_BUILD_CPU_SECONDS = 8_399_814, 229.2
# docs/benchmarks.md, "Ingest": 1,000,000 passages of 115 words
INGEST_CPU_SECONDS, INGEST_WORDS = 397e-6, 115
BYTES_AN_EMBEDDING = {4: 73, 2: 41}  # PLAID's files: 4 bits measured; 2 bits less by the residual's 32 bytes
# 1,000 abstracts of PubMedQA under the retriever's tokenizer: tokens, words, share longer than one passage of 450
ABSTRACT_TOKENS, ABSTRACT_WORDS, ABSTRACTS_CUT = 307.0, 200.2, 0.063


@dataclass(frozen=True)
class Assumptions:
    """What is neither measured nor a setting; each has a flag of its name."""

    mfu: float = 0.35
    encode_mfu: float = 0.25
    peak_tflops: float = 989.0
    gpu_price: float = 2.5
    core_price: float = 0.04
    storage_price: float = 0.023
    fill: float = 1.0
    core_gflops: float = 88.0
    train_passages: int = 500_000
    abstracts: int = 36_000_000


MEANING = {
    "mfu": "share of the peak that training and judging reach; docs/benchmarks.md has none on a GPU",
    "encode_mfu": "the same of encoding passages without gradient",
    "peak_tflops": "of one GPU in bfloat16, dense: H100",
    "gpu_price": "dollars an hour of one GPU",
    "core_price": "dollars an hour of one CPU core",
    "storage_price": "dollars a GB and month",
    "fill": "texts' share of the recipe's bounds: 1 is the upper bound",
    "core_gflops": "of one CPU core in float32 (measured here: 86 to 91)",
    "train_passages": "of the corpus that training retrieves from",
    "abstracts": "all of PubMed, counted generously: not every record has an abstract",
}


@dataclass(frozen=True)
class Row:
    """One line of the plan: what, how much, GPU hours, core hours."""

    what: str
    amount: str
    gpu_hours: float = 0.0
    core_hours: float = 0.0


def gpu_hours(flops: float, mfu: float, peak_tflops: float) -> float:
    """Hours of one GPU.

    >>> gpu_hours(3.6e15 * 1000, 0.5, 2000.0)
    1.0
    """
    return flops / (mfu * peak_tflops * 1e12) / 3600.0


def centroids(embeddings: float) -> int:
    """PLAID's count: the power of two below 16 sqrt(n).

    >>> centroids(8_399_814)
    32768
    """
    return int(2 ** math.floor(math.log2(16 * math.sqrt(embeddings))))


def build_core_hours(embeddings: float) -> tuple[float, float]:
    """Of the measured build at another size: in proportion, and with the comparisons' growth by sqrt(centroids).

    >>> build_core_hours(MEASURED_EMBEDDINGS) == (229.2 / 3600, 229.2 / 3600)
    True
    """
    straight = MEASURED_BUILD_CPU_SECONDS * embeddings / MEASURED_EMBEDDINGS / 3600.0
    return straight, straight * math.sqrt(centroids(embeddings) / centroids(MEASURED_EMBEDDINGS))


def training_rows(settings: Settings, given: Assumptions) -> list[Row]:
    """The joint arm of a recipe: judging, reading, the retriever, step by step."""
    prompt, train, index = settings.prompt, settings.train, settings.index
    questions = train.steps * train.questions_per_step
    around = prompt.question_tokens + prompt.answer_tokens
    judged = questions * train.sampling.passages * (prompt.passage_tokens + around) * given.fill
    most = prompt.context_tokens or math.inf
    read = questions * min(most, train.read_passages * prompt.passage_tokens + around) * given.fill
    with_gradient = train.sampling.passages_with_gradient or train.sampling.passages
    encoded = questions * (with_gradient * index.passage_tokens + index.query_tokens) * given.fill
    reader = Size(int(READER_PARAMETERS), LORA_PARAMETERS)
    retriever = Size(int(RETRIEVER_PARAMETERS), int(RETRIEVER_PARAMETERS))
    parts = {
        "judging the drawn passages (reader, no gradient)": (judged, reader.flops(0, judged)),
        "reading the best ones (reader, with gradient)": (read, reader.flops(read, 0)),
        "the retriever's passages and questions (with gradient)": (encoded, retriever.flops(encoded, 0)),
    }
    rows = [
        Row(name, f"{tokens / 1e6:,.0f} M tokens, {flops:.2g} FLOP", gpu_hours(flops, given.mfu, given.peak_tflops))
        for name, (tokens, flops) in parts.items()
    ]
    times = (train.steps - 1) // train.refresh_every_steps
    again = times * given.train_passages * index.passage_tokens * given.fill
    hours = gpu_hours(retriever.flops(0, again), given.encode_mfu, given.peak_tflops)
    return [
        *rows,
        Row(f"{times} refreshes of {given.train_passages:,} passages", f"{again / 1e6:,.0f} M tokens", hours),
    ]


def corpus_rows(given: Assumptions) -> tuple[list[Row], float]:
    """Ingest, encoding and index of the abstracts, and their embeddings."""
    passages = given.abstracts * (1 + ABSTRACTS_CUT)
    embeddings = given.abstracts * ABSTRACT_TOKENS + 3 * passages
    flops = Size(int(RETRIEVER_PARAMETERS), 0).flops(0, embeddings)
    straight, grown = build_core_hours(embeddings)
    ingest = given.abstracts * INGEST_CPU_SECONDS * ABSTRACT_WORDS / INGEST_WORDS / 3600.0
    on_cores = flops / (given.core_gflops * 1e9) / 3600.0
    return [
        Row("ingest, sharded", f"{passages / 1e6:,.1f} M passages", core_hours=ingest),
        Row(
            f"encoding them (on CPU cores instead: {on_cores:,.0f} core hours)",
            f"{embeddings / 1e9:,.2f} G embeddings, {flops:.2g} FLOP",
            gpu_hours(flops, given.encode_mfu, given.peak_tflops),
        ),
        Row(f"PLAID's build, {centroids(embeddings):,} centroids, in proportion", "", core_hours=straight),
        Row("the same, if comparing grows with the root of the centroids, as it should", "", core_hours=grown),
    ], embeddings


def size_lines(embeddings: float, bits: int, given: Assumptions) -> list[str]:
    """Gigabytes of the index and what they cost a month."""
    kept = embeddings * DIMENSIONS * 2 / 1e9
    plaid = embeddings * BYTES_AN_EMBEDDING[bits] / 1e9
    month = (kept + plaid) * given.storage_price
    return [
        f"- float16 embeddings {kept:,.0f} GB, PLAID's files at {bits} bits {plaid:,.0f} GB: "
        f"{month:,.0f} dollars a month",
        f"- centroids in float32: {centroids(embeddings) * DIMENSIONS * 4 / 1e9:.2f} GB",
    ]


def memory_lines() -> list[str]:
    """What lies on the GPUs besides activations."""
    frozen = READER_PARAMETERS * 2 / 1e9
    trained = LORA_PARAMETERS + READER_EMBEDDINGS + RETRIEVER_PARAMETERS + 24e6  # BERT's embeddings
    return [
        f"- reader, frozen, bfloat16: {frozen:.1f} GB over all GPUs under ZeRO 3, on each one without it",
        f"- what trains ({trained / 1e6:,.0f} M parameters: adapters, embeddings, norms, retriever), held five times "
        f"in float32: {trained * 5 * 4 / 1e9:.1f} GB at most",
        "- activations: not estimated; `benchmarks/joint_step.py --device cuda --reader 13b` measures them",
    ]


def table(rows: Sequence[Row], given: Assumptions) -> str:
    """The rows as Markdown, with what they cost."""
    lines = ["| what | amount | GPU hours | core hours | dollars |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        dollars = row.gpu_hours * given.gpu_price + row.core_hours * given.core_price
        lines.append(f"| {row.what} | {row.amount} | {row.gpu_hours:,.1f} | {row.core_hours:,.1f} | {dollars:,.0f} |")
    return "\n".join(lines)


def plan(settings: Settings, given: Assumptions) -> str:
    """The whole plan as Markdown."""
    bits = settings.index.bits
    training = training_rows(settings, given)
    hours = sum(row.gpu_hours for row in training)
    corpus, embeddings = corpus_rows(given)
    a_passage = settings.index.passage_tokens * DIMENSIONS * 2
    questions = settings.train.steps * settings.train.questions_per_step
    inputs = [
        f"| `--{field.name.replace('_', '-')}` | {getattr(given, field.name):,} | {MEANING[field.name]} |"
        for field in fields(given)
    ]
    return "\n".join(
        [
            f"## Joint training, recipe {settings.recipe}",
            "",
            table([*training, Row("**the joint arm**", "", hours)], given),
            "",
            f"- {questions:,} questions, this recipe's number; the paper does not say its own. In its "
            f"{PAPER_GPU_HOURS:g} GPU hours {questions * PAPER_GPU_HOURS / hours:,.0f} would be asked at this rate",
            "- the arms closed_book and rag come on top; optimizer, loading and communication are left out, and "
            "attention's products with them (jmlr/training/cost/flops.py)",
            f"- embeddings on each device: {given.train_passages * a_passage / 1e9:,.0f} GB at most",
            *memory_lines(),
            "",
            f"## An index of {given.abstracts / 1e6:,.0f} M abstracts",
            "",
            table(corpus, given),
            "",
            *size_lines(embeddings, bits, given),
            f"- on each device, as training holds them: {given.abstracts * a_passage / 1e12:,.1f} TB, so training on "
            "all of them is not possible: train on a part, then index all",
            "",
            "## Assumptions",
            "",
            "| flag | value | meaning |",
            "| --- | --- | --- |",
            *inputs,
        ]
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="jmlr-13b")
    for field in fields(Assumptions):
        kind: Any = int if field.name == "abstracts" else float
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, help=MEANING[field.name]
        )
    asked = vars(parser.parse_args(words))
    print(plan(recipes.load(asked.pop("recipe"), ROOT / "conf"), Assumptions(**asked)))


if __name__ == "__main__":
    main()
