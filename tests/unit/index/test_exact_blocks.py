"""Exact search in blocks: every block size gives MaxSim, passage by passage."""

from __future__ import annotations

import pytest
import torch

from jmlr.index import exact, generation
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import ExactBackend, largest_a_passage, score_all
from jmlr.models.maxsim import maxsim

pytestmark = pytest.mark.numerical

QUESTIONS = ["gout toe pain", "kidney stone urine blood", "anxiety sleep loss"]


@pytest.fixture
def queries(retriever) -> torch.Tensor:
    with torch.inference_mode():
        return retriever.encode_queries(QUESTIONS)


@pytest.mark.parametrize("block", [1, 100, 2048])
def test_scores_equal_maxsim_passage_by_passage(index_folder, queries, monkeypatch, block):
    stored = StoredEmbeddings.open(generation.current(index_folder))
    monkeypatch.setattr(exact, "_FEWEST_EMBEDDINGS", block)
    monkeypatch.setattr(exact, "_MOST_EMBEDDINGS", block)
    scores = score_all(stored.tokens, queries)
    assert scores.shape == (3, 48)
    for pid in range(48):
        vectors, mask = stored.tokens.padded(torch.tensor([pid]))
        for query, score in zip(queries, scores[:, pid], strict=True):
            assert score.item() == pytest.approx(maxsim(query[None], vectors[None], mask[None]).item(), rel=2e-5)


def test_ties_with_the_last_of_the_best_come_too(index_folder, queries, monkeypatch):
    backend = ExactBackend(StoredEmbeddings.open(generation.current(index_folder)))
    scores = torch.arange(48.0).flip(0).repeat(3, 1)
    scores[:, 4:7] = scores[0, 4].item()
    monkeypatch.setattr(exact, "score_all", lambda tokens, queries: scores)
    for pids, found in backend.best(queries, 5):
        assert sorted(pids.tolist()) == [0, 1, 2, 3, 4, 5, 6]
        assert found.tolist() == scores[0, pids].tolist()


@pytest.mark.parametrize("columns", [1, 7])
def test_the_largest_of_each_passage_equals_a_loop(columns):
    draw = torch.Generator().manual_seed(columns)
    lengths = torch.randint(1, 9, (40,), generator=draw)
    values = torch.randn(int(lengths.sum()), columns, generator=draw) - 5
    slow = torch.stack([part.amax(dim=0) for part in values.split(lengths.tolist())])
    assert torch.equal(largest_a_passage(values, lengths), slow)


def test_the_store_on_the_disk_cannot_be_changed(index_folder):
    folder = generation.current(index_folder)
    opened = StoredEmbeddings.open(folder)
    first = opened.vectors[0, 0].item()
    opened.vectors[0, 0] = first + 1
    assert StoredEmbeddings.open(folder).vectors[0, 0] == first
