"""Pools: candidates first, an exact search after a refresh, always in order of the live scores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from closeness import assert_close
from mapped import mapped_file

from jmlr.errors import MissingResource
from jmlr.index import embeddings, exact
from jmlr.index.bm25 import Bm25
from jmlr.index.candidates import mine
from jmlr.index.encoding import Plan, Source, encode
from jmlr.index.fusion import fuse
from jmlr.models.maxsim import maxsim
from jmlr.training import pools as pools_module
from jmlr.training import processes
from jmlr.training.pools import PassageStore, Pools
from jmlr.types import Hit

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([2, 0, 5])


@pytest.fixture
def queries(tiny_retriever, tiny_questions):
    with torch.no_grad():
        return tiny_retriever.encode_queries([tiny_questions[row].text for row in ROWS])


def slow_scores(retriever, passages, queries: torch.Tensor) -> torch.Tensor:
    """MaxSim of every query with every passage, each passage encoded alone."""
    columns = []
    for passage in passages:
        vectors, mask = retriever.encode_passages([passage.indexed_text])
        columns.append(torch.cat([maxsim(query[None], vectors[None], mask[None]) for query in queries]))
    return torch.cat(columns, dim=1)


@pytest.fixture
def expected(tiny_retriever, tiny_passages, queries):
    with torch.no_grad():
        return slow_scores(tiny_retriever, tiny_passages, queries)


def test_encoding_keeps_the_order_of_passages(tiny_store, tiny_retriever, tiny_passages, monkeypatch):
    monkeypatch.setattr(pools_module, "PASSAGES_PER_BATCH", 3)
    store = PassageStore.encode(tiny_retriever, [passage.indexed_text for passage in tiny_passages])
    for number, passage in enumerate(tiny_passages):
        vectors, mask = tiny_retriever.encode_passages([passage.indexed_text])
        assert_close(store.vectors[store.rows(torch.tensor([number]))].float(), vectors[0][mask[0]], share=2e-3)
    assert torch.equal(store.lengths, tiny_store.lengths)


@pytest.mark.parametrize("together", [2, 3])
def test_processes_encode_a_share_each_and_map_all(tiny_store, tiny_retriever, tiny_passages, monkeypatch, together):
    texts = [passage.indexed_text for passage in tiny_passages]
    own = [PassageStore.encode(tiny_retriever, texts[rank::together]) for rank in range(together)]

    def by_turns(vectors):
        assert torch.equal(vectors, own[processes.rank()].vectors)
        return [one.vectors for one in own]

    def gather(given):
        return [given] * together if isinstance(given, str) else [(one.lengths, one.places) for one in own]

    monkeypatch.setattr(processes, "gather", gather)
    monkeypatch.setattr(processes, "by_turns", by_turns)
    monkeypatch.setenv("WORLD_SIZE", str(together))
    for rank in range(together):
        monkeypatch.setenv("RANK", str(rank))
        store = PassageStore.encode_together(tiny_retriever, texts)
        assert_close(store.vectors.float(), tiny_store.vectors.float(), share=2e-3)
        assert torch.equal(store.lengths, tiny_store.lengths)
        assert torch.equal(store.places, tiny_store.places)
        assert is_mapped(store.vectors)


def is_mapped(vectors: torch.Tensor) -> bool:
    return "/jmlr-" in mapped_file(vectors)


def test_a_sharded_retriever_encodes_all_in_each_process(tiny_store, tiny_retriever, tiny_passages, monkeypatch):
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "is_sharded", lambda model: True)
    monkeypatch.setattr(processes, "by_turns", lambda value: pytest.fail("no embeddings are to be exchanged"))
    store = PassageStore.encode_together(tiny_retriever, [passage.indexed_text for passage in tiny_passages])
    assert torch.equal(store.vectors, tiny_store.vectors)
    assert is_mapped(store.vectors)


def test_no_room_for_the_copy_is_said_before_anything_is_written(tiny_retriever, tiny_passages, monkeypatch):
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    monkeypatch.setattr(processes, "is_sharded", lambda model: True)
    monkeypatch.setattr("jmlr.training.one_copy.shutil.disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(MissingResource, match="set TMPDIR to a folder with room"):
        PassageStore.encode_together(tiny_retriever, [passage.indexed_text for passage in tiny_passages])


def test_search_is_exact_in_blocks_of_any_size(tiny_store, queries, expected, monkeypatch):
    for block in (1, 7, 2048):
        monkeypatch.setattr(exact, "_FEWEST_EMBEDDINGS", block)
        monkeypatch.setattr(exact, "_MOST_EMBEDDINGS", block)
        found = tiny_store.search(queries, 5)
        scores = expected.gather(1, found)
        assert_close(scores, expected.topk(5).values, share=2e-3)
        assert all(len(set(row)) == 5 for row in found.tolist())


def test_search_for_more_than_there_are_gives_all_once(tiny_store, queries):
    assert [sorted(row) for row in tiny_store.search(queries, 99).tolist()] == [list(range(20))] * 3


def test_the_first_pools_are_the_candidates_in_order_of_live_scores(tiny_pools, queries, expected):
    places, scores = tiny_pools.scored(ROWS, queries)
    assert sorted(places[0].tolist()) == [2, 3, 4, 5, 6, 7]
    assert sorted(places[2].tolist()) == [5, 6, 7, 8, 9, 10]
    assert torch.equal(scores, scores.sort(dim=1, descending=True).values)
    assert_close(scores[[0, 2]], expected[[0, 2]].gather(1, places[[0, 2]]), share=2e-3)


def test_places_that_a_small_pool_leaves_empty_come_last(tiny_pools, queries):
    places, scores = tiny_pools.scored(ROWS, queries)
    assert sorted(places[1, :4].tolist()) == [0, 1, 2, 3]
    assert places[1, 4:].tolist() == [-1, -1]
    assert scores[1, 4:].tolist() == [float("-inf")] * 2
    assert scores[1, :4].isfinite().all()


def test_a_refresh_searches_all_passages_with_the_retriever_as_it_is_now(
    tiny_pools, tiny_retriever, tiny_passages, tiny_questions
):
    with torch.no_grad():
        tiny_retriever.colbert.linear.weight.add_(torch.randn(16, 32, generator=torch.Generator().manual_seed(1)))
        queries = tiny_retriever.encode_queries([tiny_questions[row].text for row in ROWS])
        expected = slow_scores(tiny_retriever, tiny_passages, queries)
    tiny_pools.refresh(tiny_retriever)
    places, scores = tiny_pools.scored(ROWS, queries)
    assert tiny_pools.generation == 2
    assert all(len(set(row)) == 6 for row in places.tolist())
    assert places.min() >= 0
    assert_close(scores, expected.topk(6).values, share=2e-3)


def test_a_refreshed_pool_stays_until_the_next_refresh(tiny_pools, tiny_retriever, queries):
    tiny_pools.refresh(tiny_retriever)
    first, _ = tiny_pools.scored(ROWS, queries)
    again, _ = tiny_pools.scored(ROWS, queries.flip(0))
    assert [set(row) for row in again.tolist()] == [set(row) for row in first.tolist()]
    tiny_pools.refresh(tiny_retriever)
    anew, _ = tiny_pools.scored(ROWS, queries.flip(0))
    assert [set(row) for row in anew.tolist()] == [set(row) for row in first.flip(0).tolist()]


def test_only_the_questions_asked_for_are_searched(tiny_pools, tiny_retriever, queries, monkeypatch):
    tiny_pools.refresh(tiny_retriever)
    asked = []
    search = PassageStore.search
    monkeypatch.setattr(
        PassageStore, "search", lambda store, some, count: asked.append(len(some)) or search(store, some, count)
    )
    tiny_pools.scored(ROWS[:2], queries[:2])
    tiny_pools.scored(ROWS, queries)
    assert asked == [2, 1]


def test_the_first_store_comes_from_the_index(tiny_store, tiny_retriever, tiny_passages, tiny_index_settings, tmp_path):
    source = Source(tiny_retriever, tmp_path, tiny_index_settings)
    encode(source, Plan.make(tiny_retriever, [passage.indexed_text for passage in tiny_passages], None), tmp_path, None)
    embeddings.write_passages(tmp_path, tiny_passages)
    stored = embeddings.StoredEmbeddings.open(tmp_path)
    store = PassageStore.from_index(stored)
    assert torch.equal(store.lengths, tiny_store.lengths)
    assert_close(store.vectors, tiny_store.vectors, share=2e-3)
    # No copy: every process that opens the index reads the pages of one file.
    assert isinstance(stored.vectors, np.memmap)
    assert store.vectors.data_ptr() == stored.vectors.ctypes.data


def test_hybrid_pools_are_searched_and_read_as_hybrid_answers_are(
    tiny_questions, tiny_passages, tiny_store, tiny_retriever, queries
):
    bm25 = Bm25(tiny_passages)
    by_words = mine(bm25, tiny_questions, 100)
    candidates = {one.question_id: [Hit(tiny_passages[0].passage_id, 0.0)] for one in tiny_questions}
    pools = Pools(tiny_questions, tiny_passages, candidates, tiny_store, 6)
    pools.fuse_with(bm25)
    pools.refresh(tiny_retriever)
    places, scores = pools.scored(ROWS, queries)
    ids = [passage.passage_id for passage in tiny_passages]
    ranked = [[ids[number] for number in row] for row in pools.store.search(queries, 20).tolist()]
    alone = pools.store.score_all(queries)
    for row, ranking, read, given in zip(ROWS.tolist(), ranked, places.tolist(), range(3), strict=True):
        words = [hit.passage_id for hit in by_words[tiny_questions[row].question_id]]
        answer = [hit.passage_id for hit in fuse([ranking, words], 6)]
        assert {ids[number] for number in read} == set(answer)
        assert ids[read[0]] == answer[0]  # the best one is read next to the question, in training as in answering
        assert_close(scores[given], alone[given, places[given]], share=2e-3)
    assert any(row != sorted(row, reverse=True) for row in scores.tolist())  # else this would show nothing
