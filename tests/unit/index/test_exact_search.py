"""Exact search: equal to a slow loop over MaxSim, ordered, never a passage twice."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from jmlr.errors import FingerprintMismatch, MissingResource
from jmlr.index import search
from jmlr.index.build import build
from jmlr.index.search import Searcher
from jmlr.models.maxsim import maxsim
from jmlr.types import Passage

pytestmark = pytest.mark.numerical

QUESTIONS = ["gout toe pain", "kidney stone urine blood", "anxiety sleep loss"]


@pytest.fixture
def searcher(index_folder, retriever, retriever_folder, passages) -> Searcher:
    return Searcher.load(index_folder, retriever, retriever_folder, passages, "exact")


def test_exact_scores_equal_maxsim_passage_by_passage(searcher, retriever):
    hits = searcher.search(QUESTIONS, 48)
    with torch.inference_mode():
        queries = retriever.encode_queries(QUESTIONS)
    for query, ranked in zip(queries, hits, strict=True):
        slow = {}
        for pid, passage_id in enumerate(searcher.stored.passage_ids):
            vectors, mask = searcher.stored.tokens.padded(torch.tensor([pid]))
            slow[passage_id] = maxsim(query[None], vectors[None], mask[None]).item()
        assert {hit.passage_id: pytest.approx(hit.score, rel=2e-5) for hit in ranked} == slow
        assert [hit.score for hit in ranked] == sorted((hit.score for hit in ranked), reverse=True)


def test_the_best_k_are_the_beginning_of_all(searcher):
    every, few = searcher.search(QUESTIONS, 48), searcher.search(QUESTIONS, 5)
    assert few == [ranked[:5] for ranked in every]


def test_more_than_there_are_gives_all_once(searcher):
    for ranked in searcher.search(QUESTIONS, 1000):
        assert len({hit.passage_id for hit in ranked}) == len(ranked) == 48


def test_batches_do_not_mix_questions(searcher, monkeypatch):
    together = searcher.search(QUESTIONS, 3)
    monkeypatch.setattr(search, "QUESTIONS_PER_BATCH", 2)
    parted = searcher.search(QUESTIONS, 3)
    assert [[hit.passage_id for hit in ranked] for ranked in parted] == [
        [hit.passage_id for hit in ranked] for ranked in together
    ]


def test_no_questions_give_no_rankings(searcher):
    assert searcher.search([], 5) == []


def test_equal_scores_go_by_passage_id(retriever, retriever_folder, settings, tmp_path):
    texts = {"z": "gout toe", "b": "gout toe", "m": "gout toe", "a": "heart failure"}
    rows = [Passage(name, text) for name, text in texts.items()]
    build(retriever_folder, rows, settings, tmp_path / "index", seed=1)
    searcher = Searcher.load(tmp_path / "index", retriever, retriever_folder, rows, "exact")
    ranked = searcher.search(["gout toe"], 4)[0]
    assert [hit.passage_id for hit in ranked if hit.passage_id != "a"] == ["b", "m", "z"]
    assert len({hit.score for hit in ranked if hit.passage_id != "a"}) == 1


def test_another_table_of_passages_is_refused(index_folder, retriever, retriever_folder, passages):
    changed = [dataclasses.replace(passages[0], text="another"), *passages[1:]]
    with pytest.raises(FingerprintMismatch, match="of other passages"):
        Searcher.load(index_folder, retriever, retriever_folder, changed)


def test_an_index_without_plaid_cannot_be_searched_by_it(retriever, retriever_folder, passages, settings, tmp_path):
    build(retriever_folder, passages, settings.model_copy(update={"backend": "exact"}), tmp_path / "index", seed=1)
    with pytest.raises(MissingResource, match="not built for PLAID"):
        Searcher.load(tmp_path / "index", retriever, retriever_folder, passages, "plaid")
