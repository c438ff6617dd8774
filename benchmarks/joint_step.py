"""Our joint step beside a plain sequential one: seconds and memory a question, and that both compute the same losses.

    python benchmarks/joint_step.py                                  # the paper's sizes, a small reader, CPU
    python benchmarks/joint_step.py --questions 4 --length-spread 0.5
    python benchmarks/joint_step.py --device cuda --dtype bfloat16 --reader 7b --peak-tflops 989 --questions 4

The plain step is benchmarks/plain_step.py: batch 1, one passage at a time, logits of all tokens, gradient through all
K pool passages. Both do forward and backward on the same weights, questions and sampled passages, no optimizer step;
their runs alternate, so that other load on the machine meets both alike. CPU seconds are those of this process: they
hardly depend on what else runs. Memory: on CPU the highest resident memory of a fresh process for each step, less what
it held before the step; on CUDA what torch allocated at most, less what it held before. Exit status 1 if the losses do
not agree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import measurement
import plain_step
import tables
import torch
from plain_step import Chosen
from projection import PAPER_GPU_HOURS, project
from synthetic import READERS, Bench, Hardware, Sizes, build

from jmlr import telemetry
from jmlr.files import write_json
from jmlr.models.prompt import Prompted, PromptWriter

RESULTS = Path("benchmarks/results/joint_step.json")
# bfloat16 keeps 8 bits: a loss of 10 nats is known to about 0.02, and the order of two losses not better.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
DRAW_SEED = 1
PLAIN, OURS = "plain", "joint"


class RecordingWriter(PromptWriter):
    """Remembers which passages each question was written with."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.written: list[tuple[str, tuple[str, ...]]] = []

    def write(self, question: Any, option: int, passages: Sequence[Any] = (), **others: Any) -> Prompted:
        self.written.append((question.question_id, tuple(passage.passage_id for passage in passages)))
        return super().write(question, option, passages, **others)


def main(words: Sequence[str] | None = None) -> int:
    """Runs both steps, writes the JSON and prints the table; 1 if the losses differ."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = parse(words)
    torch.set_num_threads(asked.threads)
    sizes = Sizes(*(getattr(asked, name) for name in Sizes.__dataclass_fields__))
    hardware = Hardware(asked.device, asked.dtype, asked.reader, asked.attention)
    if asked.memory_of:
        print(child_megabytes(build(sizes, hardware), asked.memory_of, asked.chosen))
        return 0
    bench = build(sizes, hardware, RecordingWriter)
    result = compare(bench, asked)
    write_json(asked.results, result)
    print("\n".join([tables.joint_step([result]), "", *notes(result)]))
    return 0 if result["agree"] else 1


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line; sizes default to the paper's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, field in Sizes.__dataclass_fields__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(field.default), default=field.default)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=list(TOLERANCE), default="float32")
    parser.add_argument("--reader", choices=list(READERS), default="small")
    parser.add_argument("--attention", choices=["eager", "sdpa", "shifted_sparse"], default="sdpa")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument("--with-gradient", type=int, default=3, help="besides: so many passages with gradient; 0: not")
    parser.add_argument("--peak-tflops", type=float, help="of the device in this dtype, for MFU (H100, bf16: 989)")
    parser.add_argument(
        "--projected-questions", type=int, default=32_000, help="of the recipe: steps x questions a step"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--chosen", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.read_passages < 2 or asked.sampled_passages < 2:
        parser.error("--read-passages and --sampled-passages: at least 2")
    return asked


def compare(bench: Bench, asked: argparse.Namespace) -> dict[str, Any]:
    """Losses, seconds, operations and memory of all steps."""
    device, count = bench.hardware.device, bench.sizes.questions
    with measurement.arithmetic(bench):
        ours = joint_step(bench, None)
        our_norms = measurement.take_gradient_norms(bench.model)
        chosen = chosen_by(bench)
        plain = plain_step.step(bench, chosen)
        plain_norms = measurement.take_gradient_norms(bench.model)
        steps = steps_of(bench, chosen, asked.with_gradient)
        seconds = measurement.time_in_turns(bench.model, steps, asked.repeats, device)
        flops = {name: measurement.flops(bench.model, step) / count for name, step in steps.items()}
        megabytes = {} if asked.no_memory else peak_megabytes(bench, steps, chosen, asked)
    difference = max(abs(one - two) for one, two in zip(ours, plain, strict=True))
    return {
        "date": date.today().isoformat(),
        "machine": measurement.machine(device),
        "threads": asked.threads,
        "repeats": asked.repeats,
        "sizes": asdict(bench.sizes),
        "hardware": asdict(bench.hardware),
        "reader_loss": {OURS: ours[0], PLAIN: plain[0]},
        "ranking_loss": {OURS: ours[1], PLAIN: plain[1]},
        "gradient_norms": {OURS: our_norms, PLAIN: plain_norms},
        "largest_difference": difference,
        "agree": difference <= TOLERANCE[bench.hardware.dtype],
        "steps": {
            name: {
                **{kind: value / count for kind, value in seconds[name].items()},
                "flops_per_question": flops[name],
                "peak_megabytes": megabytes.get(name),
                **project(seconds[name]["seconds"] / count, flops[name], asked.peak_tflops, asked.projected_questions),
            }
            for name in steps
        },
    }


def steps_of(bench: Bench, chosen: Sequence[Chosen], with_gradient: int) -> dict[str, Callable[[], Any]]:
    """The steps that are compared, by name."""
    steps: dict[str, Callable[[], Any]] = {
        PLAIN: lambda: plain_step.step(bench, chosen),
        OURS: lambda: joint_step(bench, None),
    }
    if with_gradient:
        steps[f"{OURS}, {with_gradient} with gradient"] = lambda: joint_step(bench, with_gradient)
    return steps


def joint_step(bench: Bench, with_gradient: int | None) -> tuple[float, float]:
    """One step of JointModel, forward and backward; returns the reader's and the ranking loss, nats."""
    sampling = bench.settings.sampling.model_copy(update={"passages_with_gradient": with_gradient})
    bench.model.settings = bench.settings.model_copy(update={"sampling": sampling})
    step = bench.model(rows=bench.rows, draw_seed=DRAW_SEED)
    step.total.backward()
    return float(step.reader), float(step.retriever)


def chosen_by(bench: Bench) -> list[Chosen]:
    """The passages that the joint step just sampled and read, from the prompts it wrote."""
    number_of = {passage.passage_id: number for number, passage in enumerate(bench.corpus.passages)}
    chosen = []
    for question in bench.corpus.questions:
        lists = [passages for name, passages in bench.writer.written if name == question.question_id]
        sampled = [number_of[passages[0]] for passages in lists if len(passages) == 1]
        read = next(passages for passages in lists if len(passages) > 1)
        chosen.append(Chosen(tuple(sampled), tuple(number_of[name] for name in read)))
    return chosen


def peak_megabytes(
    bench: Bench, steps: dict[str, Callable[[], Any]], chosen: Sequence[Chosen], asked: argparse.Namespace
) -> dict[str, float]:
    """Highest memory of each step less what was held before it; on CPU in a fresh process each."""
    if bench.hardware.device == "cuda":
        return {name: measurement.cuda_megabytes(bench.model, step) for name, step in steps.items()}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chosen.json"
        file.write_text(json.dumps([[choice.sampled, choice.read] for choice in chosen]), encoding="utf-8")
        options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(bench.sizes).items()]
        options += [f"--{name}={value}" for name, value in asdict(bench.hardware).items()]
        options += [f"--with-gradient={asked.with_gradient}", f"--threads={asked.threads}", f"--chosen={file}"]
        for name in steps:
            command = [sys.executable, __file__, *options, f"--memory-of={name}"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name] = float(said.splitlines()[-1])
    return found


def child_megabytes(bench: Bench, name: str, file: Path) -> float:
    """What the fresh process measures: one step's highest resident memory."""
    chosen = [Chosen(tuple(sampled), tuple(read)) for sampled, read in json.loads(file.read_text(encoding="utf-8"))]
    with_gradient = int(name.split()[1]) if name.startswith(f"{OURS}, ") else 0
    with measurement.arithmetic(bench):
        return measurement.resident_megabytes(steps_of(bench, chosen, with_gradient)[name])


def notes(result: dict[str, Any]) -> list[str]:
    """How the table was made, and whether the losses agree."""
    hardware, reader, ranking = result["hardware"], result["reader_loss"], result["ranking_loss"]
    agree = "they agree to" if result["agree"] else "they DO NOT AGREE to"
    return [
        f"{result['machine']}, {result['threads']} threads, {hardware['dtype']}, reader {hardware['reader']}, "
        f"attention {hardware['attention']}; medians of {result['repeats']} alternating runs; {result['sizes']}",
        f"losses in nats, joint and plain: reader {reader[OURS]:.6f} and {reader[PLAIN]:.6f}, "
        f"ranking {ranking[OURS]:.6f} and {ranking[PLAIN]:.6f}; {agree} {TOLERANCE[hardware['dtype']]:g}",
        f"norms of the gradients: {result['gradient_norms']}",
        f"GPU hours: {result['steps'][OURS]['projection']} The paper reports {PAPER_GPU_HOURS:g} for JMLR-13B.",
    ]


if __name__ == "__main__":
    sys.exit(main())
