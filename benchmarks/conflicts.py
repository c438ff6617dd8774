"""How often a starter reader follows the better of two passages that state the same kind of fact differently.

    dvc repro base && python benchmarks/conflicts.py                        # the base reader
    python benchmarks/conflicts.py build/train/reader build/base/reader     # any readers, side by side

Questions of the splits train and dev, never of test. `option`: the gold passage stands next to the question, before it
one whose fact is among the wrong options. `other`: before it one whose fact is not. `second`: as `other`, but the gold
passage is the worse one; its fact is still the only one among the options. Share of right answers.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from jmlr import config, telemetry
from jmlr.answering.answerer import Answerer
from jmlr.data.tables import read_passages, read_questions
from jmlr.stages import layout
from jmlr.starter.dataset import identifier
from jmlr.starter.knowledge import load
from jmlr.types import Hit, Question

Case = tuple[Question, list[Hit]]


def main() -> None:
    """Prints one line a reader."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", type=Path, nargs="*", default=[layout.BASE_READER])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the draw of the other passages")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    settings, passages = config.load(), read_passages(layout.PASSAGES)
    cases = make_cases([q for q in read_questions(layout.QUESTIONS) if q.split in ("train", "dev")], asked.seed)
    print(f"| reader | {' | '.join(f'{name} (n = {len(rows)})' for name, rows in cases.items())} |")
    print("| --- " * (len(cases) + 1) + "|")
    for folder in asked.readers:
        answerer = Answerer.load_reader(folder, passages, settings)
        shares = [right(answerer, rows) for rows in cases.values()]
        print(f"| {folder} | {' | '.join(f'{share:.1%}' for share in shares)} |", flush=True)


def make_cases(questions: Sequence[Question], seed: int) -> dict[str, list[Case]]:
    """Each question with two passages, best first, in three ways; `option` only where a condition has such a fact."""
    answers = {identifier(condition.name): condition.answers for condition in load()}
    draw = random.Random(seed)
    cases: dict[str, list[Case]] = {"option": [], "other": [], "second": []}
    for question in questions:
        [gold] = question.gold_passage_ids
        own, aspect = gold.split("/")
        others = [name for name in answers if name != own]
        tempting = [name for name in others if answers[name][aspect] in question.options]
        harmless = [name for name in others if answers[name][aspect] not in question.options]
        if tempting:
            cases["option"].append((question, [Hit(gold, 1.0), Hit(f"{draw.choice(tempting)}/{aspect}", 0.0)]))
        other = f"{draw.choice(harmless)}/{aspect}"
        cases["other"].append((question, [Hit(gold, 1.0), Hit(other, 0.0)]))
        cases["second"].append((question, [Hit(other, 1.0), Hit(gold, 0.0)]))
    return cases


def right(answerer: Answerer, cases: Sequence[Case]) -> float:
    """Share of questions whose likeliest option is right."""
    hits = {question.question_id: found for question, found in cases}
    answered = answerer.read([question for question, _ in cases], hits)
    return float(np.mean([a.chosen_index == q.answer_index for a, (q, _) in zip(answered, cases, strict=True)]))


if __name__ == "__main__":
    main()
