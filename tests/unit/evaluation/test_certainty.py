"""Orders and words, by hand."""

from __future__ import annotations

import pytest

from jmlr.evaluation.certainty import in_words, over_orders
from jmlr.types import Question

QUESTIONS = [Question(f"q{n}", "?", ("a", "b", "c"), n % 3, "test") for n in range(4)]  # answers 0, 1, 2, 0


def test_accuracy_over_orders_is_the_mean_of_shares_and_consistency_counts_agreement(evaluate):
    choices = {"q0": (0, 0, 0), "q1": (1, 0, 1), "q2": (0, 0, 0), "q3": (1, 2, 0)}
    found = over_orders(QUESTIONS, choices, evaluate)
    assert found["accuracy"]["value"] == pytest.approx((1 + 2 / 3 + 0 + 1 / 3) / 4)
    assert found["consistency"]["value"] == 0.5
    assert found["orders"] == 12
    assert found["accuracy"]["low"] <= found["accuracy"]["value"] <= found["accuracy"]["high"]


def test_an_unreadable_answer_is_wrong_and_counted(evaluate):
    found = in_words(QUESTIONS, {"q0": 0, "q1": None, "q2": 0, "q3": None}, evaluate)
    assert found["accuracy"]["value"] == 0.25
    assert found["unreadable"] == 0.5
