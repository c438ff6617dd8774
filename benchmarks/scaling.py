"""How the joint step's time grows with B, M, passage length and context length, under each attention.

    python benchmarks/scaling.py                                   # mini models, about three minutes on two cores
    python benchmarks/scaling.py --reader 7b --device cuda --dtype bfloat16 --passage-tokens 448 --read 1 3 7

One size changes at a time; the others stay at the first value of their list, and the pool is as large as any size
needs. The context length is that of k passages, changed for every attention kind; the other sizes are measured under
sdpa. Forward and backward, no optimizer step; medians of `--repeats` after one step that warms up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import measurement
import tables
import torch
from synthetic import READERS, Bench, Hardware, Sizes, build

from jmlr import telemetry
from jmlr.files import write_json

RESULTS = Path("benchmarks/results/scaling.json")
ATTENTIONS = ("eager", "sdpa", "shifted_sparse")
AXES = ("questions", "sampled_passages", "passage_tokens", "read_passages")


def main(words: Sequence[str] | None = None) -> int:
    """Measures every size, writes the JSON and prints the table."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = parse(words)
    torch.set_num_threads(asked.threads)
    rows = []
    for axis, sizes, attention in points(asked):
        bench = build(sizes, Hardware(asked.device, asked.dtype, asked.reader, attention))
        rows.append({"axis": axis, "value": getattr(sizes, axis), **measure(bench, asked.repeats)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    result = {
        "date": date.today().isoformat(),
        "machine": measurement.machine(asked.device),
        "threads": asked.threads,
        "repeats": asked.repeats,
        "dtype": asked.dtype,
        "reader": asked.reader,
        "base": base_sizes(asked).__dict__,
        "rows": rows,
    }
    write_json(asked.results, result)
    print(tables.scaling(result))
    print(f"{result['machine']}, {result['threads']} threads, {result['dtype']}, reader {result['reader']}")
    return 0


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line; the first value of each list is the one that the other sizes are measured at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, nargs="+", default=[2, 1, 4, 8])
    parser.add_argument("--sampled", type=int, nargs="+", default=[4, 2, 8, 16], dest="sampled_passages")
    parser.add_argument("--passage-tokens", type=int, nargs="+", default=[64, 32, 128])
    parser.add_argument("--read", type=int, nargs="+", default=[3, 7, 15], dest="read_passages")
    parser.add_argument("--attention", nargs="+", default=list(ATTENTIONS), choices=ATTENTIONS)
    parser.add_argument("--question-tokens", type=int, default=64)
    parser.add_argument("--answer-tokens", type=int, default=16)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--reader", choices=list(READERS), default="mini")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args(words)


def base_sizes(asked: argparse.Namespace) -> Sizes:
    """The first value of every list."""
    first = {axis: getattr(asked, axis)[0] for axis in AXES}
    pool = max(*asked.sampled_passages, *asked.read_passages)
    lengths = {"question_tokens": asked.question_tokens, "answer_tokens": asked.answer_tokens}
    return Sizes(pool_passages=pool, **first, **lengths)


def points(asked: argparse.Namespace) -> Iterator[tuple[str, Sizes, str]]:
    """Which size changes, all sizes, and the attention, of every measurement."""
    base = base_sizes(asked)
    for axis in AXES:
        for value in sorted(getattr(asked, axis)):
            for attention in asked.attention if axis == "read_passages" else ["sdpa"]:
                yield axis, replace(base, **{axis: value}), attention


def measure(bench: Bench, repeats: int) -> dict[str, Any]:
    """Seconds of a step and a question, and the longest reading prompt in tokens."""
    device, questions = bench.hardware.device, bench.sizes.questions

    def step() -> None:
        bench.model(rows=bench.rows, draw_seed=1).total.backward()

    with measurement.arithmetic(bench):
        step()
        seconds = measurement.time_in_turns(bench.model, {"step": step}, repeats, device)["step"]
    read = [bench.corpus.passages[number] for number in range(bench.sizes.read_passages)]
    prompt = bench.writer.write(bench.corpus.questions[0], 0, read)
    return {
        "attention": bench.hardware.attention,
        "context_tokens": len(prompt.prompt_ids) + len(prompt.answer_ids),
        "seconds_per_step": seconds["seconds"],
        "seconds_per_question": seconds["seconds"] / questions,
        "cpu_seconds_per_question": seconds["cpu_seconds"] / questions,
    }


if __name__ == "__main__":
    sys.exit(main())
