from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jmlr.data.splits import by_subject, by_text, deal, fewer_questions, split_from_name
from jmlr.types import Question


@pytest.fixture
def settings(ingest_settings):
    """Settings that deal a tenth of the subjects to dev and a fifth to test; keyword arguments replace keys."""

    def made(**changes):
        return ingest_settings("data", {"path": "q.jsonl"}, **{"dev_fraction": 0.1, "test_fraction": 0.2, **changes})

    return made


def questions(count: int, subjects: int, split: str = "") -> list[Question]:
    return [
        Question(f"q{n}", f"Text {n}?", ("a", "b"), 0, split, subject=f"S{n % subjects}", gold_passage_ids=(f"p{n}",))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("mmlu/test/anatomy_test.csv", "test"),
        ("mmlu/val/anatomy.csv", "dev"),
        ("phrases_no_exclude_train.jsonl", "train"),
        ("medmcqa/dev.json", "dev"),
        ("data/contest.csv", ""),
    ],
)
def test_split_from_name(name, split):
    assert split_from_name(Path(name)) == split


def test_subjects_are_dealt_whole_and_in_the_asked_fractions(settings):
    dealt = deal(questions(200, 50), by_subject, settings(), seed=1)
    splits: dict[str, set[str]] = {}
    for question in dealt:
        splits.setdefault(question.subject, set()).add(question.split)
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(next(iter(found)) for found in splits.values()) == {"test": 10, "dev": 5, "train": 35}


def test_dealing_depends_on_the_seed_alone(settings):
    rows = questions(60, 30)
    assert deal(rows, by_subject, settings(), 1) == deal(rows, by_subject, settings(), 1)
    assert deal(rows, by_subject, settings(), 1) != deal(rows, by_subject, settings(), 2)
    reordered = {q.question_id: q.split for q in deal(rows[::-1], by_subject, settings(), 1)}
    assert reordered == {q.question_id: q.split for q in deal(rows, by_subject, settings(), 1)}


def test_own_test_questions_stay_and_no_more_are_dealt_to_test(settings):
    own = [Question("own", "Own?", ("a", "b"), 0, "test")]
    dealt = deal(own + questions(20, 20), by_text, settings(), 1)
    assert Counter(q.split for q in dealt) == {"test": 1, "dev": 2, "train": 18}


def test_repeated_question_stays_in_one_split(settings):
    rows = [Question(f"q{n}", "Same text?", ("a", "b"), 0, "") for n in range(20)]
    assert len({q.split for q in deal(rows, by_text, settings(test_fraction=0.5), 1)}) == 1


def test_fewer_questions_are_drawn_under_the_seed_in_their_order():
    rows = questions(40, 40, "train")
    kept = fewer_questions(rows, 10, 1)
    assert len(kept) == 10
    assert [row for row in rows if row in kept] == kept == fewer_questions(rows, 10, 1)
    assert fewer_questions(rows, 10, 2) != kept
    assert fewer_questions(rows, None, 1) == fewer_questions(rows, 40, 1) == rows
