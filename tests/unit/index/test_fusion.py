"""Fusion: the published sum of reciprocal ranks, its ties, and how deep a hybrid looks."""

from __future__ import annotations

import itertools
import random

import pytest

from jmlr.index.bm25 import Bm25
from jmlr.index.fusion import FUSED_DEPTH, Hybrid, fuse
from jmlr.index.search import Searcher
from jmlr.types import Hit


def ids(hits) -> list[str]:
    return [hit.passage_id for hit in hits]


class Fixed:
    """Finds the passages it was given, and remembers how many it was asked for."""

    def __init__(self, *ranking: str) -> None:
        self.ranking, self.asked = ranking, []

    def search(self, texts, k):
        self.asked.append(k)
        return [[Hit(name, -float(rank)) for rank, name in enumerate(self.ranking[:k])] for _ in texts]


def test_scores_are_sums_of_reciprocal_ranks():
    found = fuse([["p1", "p2", "p3"], ["p3", "p4"]], 10)
    assert ids(found) == ["p3", "p1", "p2", "p4"]
    assert [hit.score for hit in found] == pytest.approx([1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62])


def test_two_middling_ranks_beat_one_good_one():
    one, other = [f"a{n:03d}" for n in range(99)] + ["both"], [f"b{n:03d}" for n in range(99)] + ["both"]
    assert ids(fuse([one, other], 41))[-1] == "both"  # 2/160 is more than 1/81 and less than 1/79


def test_the_order_of_the_rankings_makes_no_difference():
    draw = random.Random(3)
    rankings = [draw.sample([f"p{number}" for number in range(12)], 12) for _ in range(3)]
    found = [fuse(list(order), 12) for order in itertools.permutations(rankings)]
    assert all(other == found[0] for other in found)


def test_equal_scores_are_ordered_by_passage_id():
    assert ids(fuse([["b", "a"], ["a", "b"]], 2)) == ["a", "b"]
    assert ids(fuse([["z"], ["c"]], 2)) == ["c", "z"]


def test_nothing_fuses_to_nothing():
    assert fuse([], 5) == fuse([[], []], 5) == []
    assert ids(fuse([[], ["p1"]], 5)) == ["p1"]


def test_a_hybrid_looks_deeper_than_it_gives():
    one, other = Fixed("p1", "p2", "p3"), Fixed("p3")
    assert [ids(hits) for hits in Hybrid(one, other).search(["a", "b"], 2)] == [["p3", "p1"]] * 2
    Hybrid(one, other).search(["a"], FUSED_DEPTH + 1)
    assert one.asked == other.asked == [FUSED_DEPTH, FUSED_DEPTH + 1]


def test_a_hybrid_of_nothing_found_and_of_no_texts():
    assert Hybrid(Fixed(), Fixed()).search(["a"], 3) == [[]]
    assert Hybrid(Fixed("p1"), Fixed()).search([], 3) == []


def test_an_index_fused_with_bm25_gives_k_passages_once_each(index_folder, retriever, retriever_folder, passages):
    searcher, bm25 = Searcher.load(index_folder, retriever, retriever_folder, passages), Bm25(passages)
    texts = [passage.text for passage in passages[:6]]
    found = Hybrid(searcher, bm25).search(texts, 20)
    for fused, near, lexical in zip(found, searcher.search(texts, 48), bm25.search(texts, 48), strict=True):
        assert len(set(ids(fused))) == 20
        assert fused == fuse([ids(near), ids(lexical)], 20)
        ranks = [ids(one).index(fused[0].passage_id) for one in (near, lexical)]
        assert fused[0].score == pytest.approx(sum(1 / (61 + rank) for rank in ranks))
