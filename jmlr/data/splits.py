"""Deals questions to training and test splits, and draws a few where few are wanted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jmlr.settings import IngestSettings
from jmlr.data.raw_files import plain_path
from jmlr.types import Question

_NAMES = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}


def split_from_name(path: Path) -> str:
    """The split that a file's name, compressed or not, or its folder's name ends in; empty if neither does.

    >>> split_from_name(Path("mmlu/val/anatomy_val.csv")), split_from_name(Path("questions.jsonl"))
    ('dev', '')
    >>> split_from_name(Path("medqa/test.jsonl.gz"))
    'test'
    """
    for name in (plain_path(path).stem, path.parent.name):
        split = _NAMES.get(re.split(r"[^a-z]+", name.lower())[-1], "")
        if split:
            return split
    return ""


def draw_order(seed: int, key: str) -> str:
    """A sort key that is random under the seed yet the same whatever else is sorted: new rows do not move old ones.

    >>> draw_order(1, "a") == draw_order(1, "a") != draw_order(2, "a")
    True
    """
    return hashlib.sha256(f"{seed}\x1f{key}".encode()).hexdigest()


def by_subject(question: Question) -> str:
    """The group of a question whose subject must not be asked about in two splits: its subject, else its text.

    >>> by_subject(Question("q", "Why?", (), 0, "", subject="Gout"))
    'gout'
    """
    return question.subject.casefold() or by_text(question)


def by_text(question: Question) -> str:
    """The group of a question that stands for itself: its text, so that a repeated question stays in one split.

    >>> by_text(Question("q", "Why?", (), 0, ""))
    'why?'
    """
    return question.text.casefold()


def deal(
    questions: list[Question], group: Callable[[Question], str], settings: IngestSettings, seed: int
) -> list[Question]:
    """The questions, those without a split dealt to train, dev and test by whole groups.

    Args:
        questions: in any order, which is kept; `split` is empty where it is to be dealt.
        group: which questions stay together.
        settings: its fractions (of groups) are dealt to dev and test; nothing to test where some are test already.
        seed: other seeds deal otherwise.
    """
    groups = sorted(
        {group(question) for question in questions if not question.split}, key=lambda g: draw_order(seed, g)
    )
    has_own_test = any(question.split == "test" for question in questions)
    test_count = 0 if has_own_test else round(len(groups) * settings.test_fraction)
    dev_count = round(len(groups) * settings.dev_fraction)
    split_of = {
        name: "test" if number < test_count else "dev" if number < test_count + dev_count else "train"
        for number, name in enumerate(groups)
    }
    return [
        question if question.split else replace(question, split=split_of[group(question)]) for question in questions
    ]


def fewer_questions(questions: list[Question], most: int | None, seed: int) -> list[Question]:
    """At most `most` of the questions, drawn under the seed, in their order; all for None."""
    if most is None or len(questions) <= most:
        return questions
    drawn = sorted((question.question_id for question in questions), key=lambda i: draw_order(seed, i))
    kept = set(drawn[:most])
    return [question for question in questions if question.question_id in kept]
