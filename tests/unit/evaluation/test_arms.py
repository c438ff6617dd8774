from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from measuring import summarise

from jmlr.answering.answered import Answered
from jmlr.errors import DataError
from jmlr.settings import Settings
from jmlr.types import Question

GOLD = [Question(f"g{n}", "?", ("a", "b", "c", "d"), 0, "test", gold_passage_ids=("p",)) for n in range(4)]
NO_GOLD = [Question(f"n{n}", "?", ("a", "b"), 0, "test") for n in range(4)]


def _arm(questions: list[Question], right: str) -> list[Answered]:
    """Answers that are right where `right` has a 1."""
    return [
        Answered(
            q.question_id, ((-1.0, -2.0) if mark == "1" else (-2.0, -1.0)) + (-3.0,) * (len(q.options) - 2), (0.5, 0.5)
        )
        for q, mark in zip(questions, right, strict=True)
    ]


def _summary(settings: Settings, questions: list[Question], **arms: str) -> dict[str, Any]:
    return summarise(settings, questions, {arm: _arm(questions, right) for arm, right in arms.items()}, {})["test"]


def test_numbers_by_hand(settings: Settings) -> None:
    found = _summary(settings, GOLD, closed_book="0000", rag="1000", jmlr="1110", rag_gold="1111", jmlr_gold="0111")
    values = {arm: measured["value"] for arm, measured in found["accuracy"].items()}
    assert values == {"closed_book": 0.0, "rag": 0.25, "jmlr": 0.75, "rag_gold": 1.0, "jmlr_gold": 0.75}
    assert found["gap_closed"] == pytest.approx((0.75 - 0.25) / (1.0 - 0.25), abs=1e-6)
    assert (found["chance"], found["questions"]) == (0.25, 4)
    difference = found["difference"]["jmlr_minus_rag"]
    assert (difference["value"], difference["helped"], difference["hurt"], difference["unchanged"]) == (0.5, 2, 0, 2)
    assert difference["mcnemar_p"] == 0.5
    assert list(found["difference"]) == ["jmlr_minus_rag", "rag_minus_closed_book", "jmlr_minus_closed_book"]


def test_gold_arms_and_the_gap_count_only_questions_with_gold(settings: Settings) -> None:
    # On the four questions with gold: rag 1/4, jmlr 3/4, gold 4/4; without gold jmlr is always wrong.
    found = _summary(settings, GOLD + NO_GOLD, rag="10001111", jmlr="11100000", rag_gold="11110000")
    assert found["accuracy"]["rag_gold"] == {"value": 1.0, "low": 0.510109, "high": 1.0, "questions": 4, "no_answer": 0}
    assert found["accuracy"]["jmlr"]["questions"] == 8
    assert found["gap_closed"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["chance"] == pytest.approx((4 / 4 + 4 / 2) / 8)


def test_a_gold_arm_may_answer_only_questions_with_gold(settings: Settings) -> None:
    answered = {"rag": _arm(GOLD + NO_GOLD, "0" * 8), "rag_gold": _arm(GOLD, "1110")}
    found = summarise(settings, GOLD + NO_GOLD, answered, {})["test"]
    assert found["accuracy"]["rag_gold"]["value"] == 0.75


@pytest.mark.parametrize(
    "arms",
    [
        {"rag": "1000", "jmlr": "1110"},  # no gold arm
        {"jmlr": "1110", "rag_gold": "1111"},  # no rag
        {"rag": "1111", "jmlr": "1110", "rag_gold": "1111"},  # nothing to gain
        {"rag": "1111", "jmlr": "1110", "rag_gold": "1000"},  # gold is worse
        {
            "rag": "1110",
            "jmlr": "1111",
            "rag_gold": "1111",
        },  # gold is better on one question of four: by chance, it may be
    ],
)
def test_gap_is_null_where_it_has_no_meaning(settings: Settings, arms: dict[str, str]) -> None:
    assert _summary(settings, GOLD, **arms)["gap_closed"] is None


def test_no_gold_passage_known_at_all(settings: Settings) -> None:
    answered = {arm: _arm(NO_GOLD, "1100") for arm in ("rag", "jmlr", "rag_gold")}
    rankings = {"before": {q.question_id: ["p1", "p2"] for q in NO_GOLD}}
    found = summarise(settings, NO_GOLD, answered, rankings)["test"]
    assert list(found["accuracy"]) == ["rag", "jmlr"]
    assert found["gap_closed"] is None
    assert found["retrieval"] == {"before": {"questions": 0, "without_gold": 4, "distinct_top_1": 1}}


def test_one_arm_alone(settings: Settings) -> None:
    found = _summary(settings, GOLD, closed_book="1100")
    assert (found["difference"], found["gap_closed"], found["retrieval"]) == ({}, None, {})


def test_keys_are_stable_whatever_the_order_of_the_inputs(make: Callable[[int], Any]) -> None:
    made = make(60)
    turned = {arm: made.answered[arm][::-1] for arm in reversed(made.answered)}
    rankings = {name: made.rankings[name] for name in reversed(made.rankings)}
    first = summarise(made.settings, made.questions, made.answered, made.rankings)
    second = summarise(made.settings, made.questions, turned, rankings)
    assert json.dumps(first, indent=2) == json.dumps(second, indent=2)
    assert list(first) == ["test", "test_seen"]
    assert list(first["test"]["retrieval"]) == ["before", "after"]


def test_leaves_are_numbers_or_null(make: Callable[[int], Any]) -> None:
    made = make(60)
    metrics = summarise(made.settings, made.questions, made.answered, made.rankings)

    def leaves(value: Any) -> list[Any]:
        return [leaf for item in value.values() for leaf in leaves(item)] if isinstance(value, dict) else [value]

    assert all(type(leaf) in (int, float, type(None)) for leaf in leaves(metrics))
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_adding_an_arm_does_not_move_the_others(settings: Settings) -> None:
    alone = _summary(settings, GOLD, rag="1010")["accuracy"]["rag"]
    assert _summary(settings, GOLD, closed_book="0001", rag="1010", jmlr="1111")["accuracy"]["rag"] == alone


def test_a_split_without_questions_is_left_out_and_none_at_all_refused(settings: Settings) -> None:
    assert list(summarise(settings, GOLD, {"rag": _arm(GOLD, "1111")}, {})) == ["test"]
    train = [dataclasses.replace(question, split="train") for question in GOLD]
    with pytest.raises(DataError, match="no question in the evaluated splits test, test_seen"):
        summarise(settings, train, {}, {})


def test_an_arm_that_skips_a_question_is_refused(settings: Settings) -> None:
    with pytest.raises(DataError, match="arm rag, question g3: no answer; expected all arms on the same questions"):
        summarise(settings, GOLD, {"rag": _arm(GOLD[:3], "111")}, {})
