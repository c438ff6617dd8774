from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from jmlr.evaluation.groups import subgroups
from jmlr.evaluation.groups.subgroups import group_questions, measure_subgroups
from jmlr.evaluation.statistics.accuracy import share_interval
from jmlr.evaluation.statistics.gaps import holm, mean_gap, share_gap, share_gap_p
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

PEOPLE = ("man", "woman")
AGES = (7, 25, 50, 80)


def _questions(count: int) -> list[Question]:
    """Sexes in turn, ages in turn every second; each tenth without a patient."""
    questions = []
    for number in range(count):
        text = f"A {AGES[number // 2 % 4]}-year-old {PEOPLE[number % 2]} coughs. What next?"
        kind = ("treatment", "test", "treatment")[number % 3]
        text = "Which enzyme is lacking?" if number % 10 == 9 else text
        questions.append(Question(f"q{number}", text, ("a", "b"), 0, "test", question_type=kind, subject=f"s{number}"))
    return questions


QUESTIONS = _questions(200)
RAG = np.random.default_rng(1).random(200) < np.where(np.arange(200) % 2, 0.9, 0.3)  # women are answered better
JMLR = RAG | (np.arange(200) % 2 == 0)  # men are all repaired


@pytest.fixture(scope="module")
def found(settings: Any) -> dict[str, Any]:
    return measure_subgroups(QUESTIONS, {"rag": RAG, "jmlr": JMLR}, settings.evaluate)


def test_groups_are_listed_in_order_and_unknown_last() -> None:
    members = group_questions(QUESTIONS).members
    assert list(members["age"]) == ["under 18", "18 to 39", "40 to 64", "65 and over", "unknown"]
    assert list(members["sex"]) == ["female", "male", "unknown"]
    assert list(members["question_type"]) == ["test", "treatment"]
    for groups in members.values():
        assert np.sum(list(groups.values()), axis=0).tolist() == [1] * 200


def test_an_attribute_with_many_values_is_skipped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert group_questions(QUESTIONS).skipped == {"specialty": 200}
    monkeypatch.setattr(subgroups, "MAX_GROUPS", 200)
    assert len(group_questions(QUESTIONS).members["specialty"]) == 200


def test_counts_and_arms(found: dict[str, Any]) -> None:
    assert list(found) == ["questions", "small_below", "skipped", "known", "accuracy", "gain"]
    assert (found["questions"], found["skipped"]) == (200, {"specialty": 200})
    assert found["known"] == {"age": 180, "sex": 180, "question_type": 200}
    assert list(found["accuracy"]) == ["rag", "jmlr"]
    assert list(found["gain"]) == ["jmlr_minus_rag"]
    json.dumps(found)


def test_accuracy_and_gap_of_a_group(found: dict[str, Any]) -> None:
    members = group_questions(QUESTIONS).members["sex"]
    entry = found["accuracy"]["rag"]["groups"]["sex"]["female"]
    alone = share_interval(RAG[members["female"]], 0.95)
    assert (entry["questions"], entry["small"]) == (80, False)
    assert (entry["value"], entry["low"], entry["high"]) == (alone.value, alone.low, alone.high)
    # the rest are the men, not the questions without a patient
    gap = share_gap(RAG[members["female"]], RAG[members["male"]], 0.95)
    assert (entry["gap"]["value"], entry["gap"]["low"], entry["gap"]["high"]) == (gap.value, gap.low, gap.high)
    assert entry["gap"]["p"] == share_gap_p(RAG[members["female"]], RAG[members["male"]])
    assert entry["gap"]["value"] > 0.4


def test_two_groups_are_one_test_seen_from_both_sides(found: dict[str, Any]) -> None:
    women, men = (found["accuracy"]["rag"]["groups"]["sex"][sex]["gap"] for sex in ("female", "male"))
    assert (men["value"], men["low"], men["high"]) == (-women["value"], -women["high"], -women["low"])
    assert (men["p"], men["p_holm"]) == (women["p"], women["p_holm"])


def test_holm_counts_every_test_once(found: dict[str, Any]) -> None:
    family = found["accuracy"]["rag"]
    assert family["tests"] == 4 + 1 + 1  # ages, sexes, question types
    ages = [entry["gap"] for group, entry in family["groups"]["age"].items() if group != "unknown"]
    gaps = [*ages, family["groups"]["sex"]["female"]["gap"], family["groups"]["question_type"]["test"]["gap"]]
    assert [gap["p_holm"] for gap in gaps] == holm([gap["p"] for gap in gaps])


def test_unknown_is_shown_but_not_compared(found: dict[str, Any]) -> None:
    entry = found["accuracy"]["rag"]["groups"]["sex"]["unknown"]
    assert (entry["questions"], entry["gap"]) == (20, None)


def test_who_gains(found: dict[str, Any]) -> None:
    family = found["gain"]["jmlr_minus_rag"]
    members = group_questions(QUESTIONS).members["sex"]
    gain = JMLR.astype(int) - RAG.astype(int)
    entry = family["groups"]["sex"]["female"]
    assert entry["value"] == 0  # nothing was repaired for women
    assert entry["gap"]["value"] == pytest.approx(-gain[members["male"]].mean())
    assert entry["gap"]["high"] < 0
    assert entry["gap"]["p_holm"] < 0.05
    assert family["groups"]["question_type"]["test"]["gap"]["p_holm"] > 0.05


def test_gain_gap_is_the_bootstrap_of_both_groups(found: dict[str, Any], evaluate: EvaluateSettings) -> None:
    members = group_questions(QUESTIONS).members["age"]
    gain = JMLR.astype(int) - RAG.astype(int)
    known = ~members["unknown"]
    gap = mean_gap(gain[members["18 to 39"]], gain[known & ~members["18 to 39"]], evaluate)
    entry = found["gain"]["jmlr_minus_rag"]["groups"]["age"]["18 to 39"]["gap"]
    assert (entry["value"], entry["low"], entry["high"]) == (gap.value, gap.low, gap.high)


def test_small_groups_are_marked_and_not_tested(evaluate: EvaluateSettings) -> None:
    family = measure_subgroups(QUESTIONS, {"rag": RAG}, evaluate, small_below=60)["accuracy"]["rag"]
    for entry in (entry for group, entry in family["groups"]["age"].items() if group != "unknown"):
        assert entry["small"]
        assert entry["gap"]["p"] is entry["gap"]["p_holm"] is None
        assert entry["gap"]["low"] < entry["gap"]["value"] < entry["gap"]["high"]
    assert family["tests"] == 2  # sexes and question types


def test_a_single_group_has_no_rest(evaluate: EvaluateSettings) -> None:
    men = [question for question in QUESTIONS if " man " in question.text]
    family = measure_subgroups(men, {"rag": np.ones(len(men), bool)}, evaluate)["accuracy"]["rag"]
    assert family["groups"]["sex"] == {
        "male": {"questions": len(men), "small": False, "value": 1.0, "low": pytest.approx(0.96, abs=0.01),
                 "high": 1.0, "gap": None}
    }  # fmt: skip


def test_same_seed_same_result(found: dict[str, Any], evaluate: EvaluateSettings) -> None:
    assert measure_subgroups(QUESTIONS, {"rag": RAG, "jmlr": JMLR}, evaluate) == found
