from __future__ import annotations

import pytest
from measuring import measure_retrieval

from jmlr.evaluation.groups.subgroups import MAX_GROUPS
from jmlr.evaluation.metrics import ranking_metrics
from jmlr.evaluation.retrieval.rankings import measure_by_type
from jmlr.types import Question


def _asked(name: str, kind: str, *gold: str) -> Question:
    return Question(name, "?", ("a", "b"), 0, "test", question_type=kind, gold_passage_ids=gold)


ASKED = [_asked("q1", "dose", "p1"), _asked("q2", "cause", "p2"), _asked("q3", "dose", "p3"), _asked("q4", "", "p4")]
BEFORE = {"q1": ["p9", "p1"], "q2": ["p9", "p2"], "q3": ["p9", "p3"], "q4": ["p9"]}
AFTER = {"q1": ["p1"], "q2": ["p2"], "q3": ["p9", "p3"], "q4": ["p4"]}


def test_each_type_has_its_own_measures_before_and_after() -> None:
    found = measure_by_type(ASKED, {"before": BEFORE, "after": AFTER, "bm25": BEFORE}, ranking_metrics([1, 2]))
    assert list(found) == ["cause", "dose", "unknown"]
    assert list(found["dose"]) == ["small", "before", "after"]
    assert (found["dose"]["before"]["success_at_1"], found["dose"]["after"]["success_at_1"]) == (0.0, 0.5)
    assert (found["dose"]["before"]["mrr"], found["dose"]["after"]["mrr"]) == (0.5, 0.75)
    assert (found["dose"]["before"]["distinct_top_1"], found["dose"]["after"]["distinct_top_1"]) == (1, 2)
    assert found["dose"]["after"] == measure_retrieval([ASKED[0], ASKED[2]], AFTER, [1, 2])
    assert found["unknown"]["after"]["questions"] == 1


def test_types_add_up_to_the_whole() -> None:
    found = measure_by_type(ASKED, {"after": AFTER}, ranking_metrics([1]))
    whole = measure_retrieval(ASKED, AFTER, [1])
    hits = sum(kind["after"]["success_at_1"] * kind["after"]["questions"] for kind in found.values())
    assert hits == pytest.approx(whole["success_at_1"] * whole["questions"])


@pytest.mark.parametrize(("bound", "small"), [(2, False), (3, True)])
def test_only_questions_with_a_gold_passage_make_a_type_large(bound: int, small: bool) -> None:
    asked = [*ASKED, _asked("q5", "dose")]
    found = measure_by_type(asked, {"after": {**AFTER, "q5": ["p1"]}}, ranking_metrics([1]), small_below=bound)
    assert found["dose"]["small"] is small
    assert found["dose"]["after"]["without_gold"] == 1


def test_without_types_rankings_or_with_too_many_types_there_is_no_table() -> None:
    assert measure_by_type([ASKED[3]], {"after": AFTER}, ranking_metrics([1])) == {}
    assert measure_by_type(ASKED, {"bm25": AFTER}, ranking_metrics([1])) == {}
    many = [_asked(f"q{number}", f"type {number}", "p1") for number in range(MAX_GROUPS + 1)]
    assert (
        measure_by_type(many, {"after": {question.question_id: ["p1"] for question in many}}, ranking_metrics([1]))
        == {}
    )
