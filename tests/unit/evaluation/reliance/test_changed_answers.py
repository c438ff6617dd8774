"""Answers before and after, question by question."""

from __future__ import annotations

import pytest

from jmlr.errors import DataError
from jmlr.evaluation.reliance.changed_answers import compare_answers
from jmlr.settings import EvaluateSettings

SETTINGS = EvaluateSettings.model_construct(bootstrap_samples=200, confidence=0.95, seed=1)


def answer(question: str, chosen: int, read: str = "p1", split: str = "test") -> dict:
    options = ["MRI", "ECG", "rest"]
    return {
        "question_id": question,
        "split": split,
        "answer": "MRI",
        "chosen_index": chosen,
        "chosen": options[chosen],
        "correct": chosen == 0,
        "read_passage_ids": [read],
    }


def test_what_was_helped_hurt_and_changed():
    before = [answer("q1", 0), answer("q2", 0), answer("q3", 1), answer("q4", 1), answer("q5", 0, split="seen")]
    after = [answer("q5", 0, "p2", "seen"), answer("q4", 2), answer("q3", 0), answer("q2", 1), answer("q1", 0)]
    found = compare_answers(before, after, SETTINGS, ["p1", "p3"])
    test, seen = found["splits"]["test"], found["splits"]["seen"]
    assert (test["questions"], test["before"]["value"], test["after"]["value"]) == (4, 0.5, 0.5)
    assert (test["difference"]["value"], test["helped"], test["hurt"], test["changed"]) == (0.0, 1, 1, 3)
    assert (test["hurt_by_loss"], seen["hurt_by_loss"]) == (1, 0)
    assert compare_answers(before, after, SETTINGS, ["p2"])["splits"]["test"]["hurt_by_loss"] == 0
    assert (seen["questions"], seen["changed"], found["read_others"]) == (1, 0, 1)
    names = ("question_id", "before", "after", "was_right", "is_right")
    assert [tuple(one[name] for name in names) for one in found["changed"]] == [
        ("q2", "MRI", "ECG", True, False),
        ("q3", "ECG", "MRI", False, True),
        ("q4", "ECG", "rest", False, False),
    ]  # fmt: skip


def test_other_questions_are_refused():
    with pytest.raises(DataError, match="other questions; expected two evaluations of the same questions"):
        compare_answers([answer("q1", 0)], [answer("q2", 0)], SETTINGS)
