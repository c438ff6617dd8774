from __future__ import annotations

import math

import numpy as np
import pytest
from measuring import measure_retrieval
from sklearn.metrics import ndcg_score

from jmlr.errors import DataError
from jmlr.evaluation.retrieval.rankings import ndcg, reciprocal_rank, success_at
from jmlr.types import Question


def _question(name: str, *gold: str) -> Question:
    return Question(name, "?", ("a", "b"), 0, "test", gold_passage_ids=gold)


ASKED = [_question("q1", "p1"), _question("q2", "p2", "p9"), _question("q3", "p7"), _question("q4")]
RANKINGS = {
    "q1": ["p1", "p2", "p3"],  # first
    "q2": ["p1", "p3", "p2"],  # third; p9 never
    "q3": ["p1", "p2", "p3"],  # never
    "q4": ["p5", "p1", "p2"],  # has no gold
}


def test_measures_by_hand() -> None:
    found = measure_retrieval(ASKED, RANKINGS, [1, 3])
    ideal_of_two = 1 + 1 / math.log2(3)
    assert found == {
        "success_at_1": pytest.approx(1 / 3),
        "success_at_3": pytest.approx(2 / 3),
        "recall_at_1": pytest.approx(1 / 3),
        "recall_at_3": pytest.approx((1 + 1 / 2 + 0) / 3),
        "mrr": pytest.approx((1 + 1 / 3 + 0) / 3),
        "ndcg_at_10": pytest.approx((1 + 0.5 / ideal_of_two + 0) / 3),
        "questions": 3,
        "without_gold": 1,
        "distinct_top_1": 2,
    }


def test_without_any_gold_only_counts_are_left() -> None:
    found = measure_retrieval([_question("q4")], RANKINGS, [1])
    assert found == {"questions": 0, "without_gold": 1, "distinct_top_1": 1}


def test_cutoffs_are_sorted_and_counted_once() -> None:
    names = list(measure_retrieval(ASKED, RANKINGS, [10, 1, 10]))
    assert names[:5] == ["success_at_1", "success_at_10", "recall_at_1", "recall_at_10", "mrr"]


def test_an_empty_ranking_is_a_miss() -> None:
    found = measure_retrieval([_question("q1", "p1")], {"q1": []}, [1])
    assert (found["success_at_1"], found["mrr"], found["ndcg_at_10"], found["distinct_top_1"]) == (0.0, 0.0, 0.0, 0)


def test_gold_beyond_the_cutoff_does_not_count() -> None:
    ranking = [f"x{number}" for number in range(10)] + ["gold"]
    assert (success_at(10, ranking, ["gold"]), success_at(11, ranking, ["gold"])) == (0.0, 1.0)
    assert ndcg(ranking, ["gold"]) == 0.0
    assert reciprocal_rank(ranking, ["gold"]) == pytest.approx(1 / 11)


def test_ndcg_with_more_gold_than_depth_can_reach_one() -> None:
    gold = [f"g{number}" for number in range(12)]
    assert ndcg(gold, gold) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(8))
def test_ndcg_agrees_with_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    ranking = [f"p{number}" for number in draw.permutation(30)]
    gold = [f"p{number}" for number in draw.choice(30, size=1 + seed, replace=False)]
    relevance = [[float(name in gold) for name in ranking]]
    scores = [[float(-rank) for rank in range(30)]]
    assert ndcg(ranking, gold) == pytest.approx(ndcg_score(relevance, scores, k=10))


def test_a_missing_ranking_is_refused() -> None:
    with pytest.raises(DataError, match="question q1: no ranking"):
        measure_retrieval(ASKED, {}, [1])


def test_a_passage_ranked_twice_is_refused() -> None:
    with pytest.raises(DataError, match="question q1: a passage is ranked twice"):
        measure_retrieval(ASKED[:1], {"q1": ["p1", "p1"]}, [1])
