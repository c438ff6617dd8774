"""PLAID on MiniLM and starter passages: it finds what exact search finds, and colbert-ai's scorer reads its files."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from jmlr.index import candidates, generation, manifest
from jmlr.index.build import build
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import ExactBackend, score_all
from jmlr.index.plaid_search import PlaidBackend
from jmlr.index.refresh import Changes, refresh
from jmlr.index.search import Searcher
from jmlr.models import retriever as retrievers
from jmlr.models.retriever import Retriever
from jmlr.settings import BaseRetrieverSettings, IndexSettings
from jmlr.starter.dataset import make_passages
from jmlr.starter.knowledge import load
from jmlr.types import Passage, Question

SETTINGS = IndexSettings(
    backend="plaid", hybrid=False, query_tokens=32, passage_tokens=96, bits=4, kmeans_iterations=4, candidates=30
)
PASSAGES = [Passage(**row) for row in make_passages(load()[:25])]
QUESTIONS = [passage.text.split(".")[-2] for passage in PASSAGES[::5]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a seeded MiniLM ColBERT in retriever/ and the index of PASSAGES in index/."""
    folder = tmp_path_factory.mktemp("pair")
    source = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)
    texts = [passage.indexed_text for passage in PASSAGES]
    retrievers.create(source, SETTINGS, folder / "retriever", texts, 1)
    build(folder / "retriever", PASSAGES, SETTINGS, folder / "index", 1)
    return folder


def load_searcher(folder: Path, backend: str | None = None) -> Searcher:
    retriever = Retriever.load(folder / "retriever", SETTINGS)
    return Searcher.load(folder / "index", retriever, folder / "retriever", PASSAGES, backend)


@pytest.fixture(scope="module")
def searcher(pair: Path) -> Searcher:
    return load_searcher(pair)


@pytest.fixture(scope="module")
def exact_searcher(pair: Path) -> Searcher:
    return load_searcher(pair, "exact")


def ids(ranked):
    return [hit.passage_id for hit in ranked]


def test_plaid_finds_what_exact_search_finds(searcher, exact_searcher):
    plaid, exact = searcher.search(QUESTIONS, 10), exact_searcher.search(QUESTIONS, 10)
    shared = sum(len(set(ids(one)) & set(ids(other))) for one, other in zip(plaid, exact, strict=True))
    assert shared / (10 * len(QUESTIONS)) >= 0.95


def test_scores_are_those_of_exact_search(searcher, exact_searcher):
    plaid, exact = searcher.search(QUESTIONS[:4], 20), exact_searcher.search(QUESTIONS[:4], len(PASSAGES))
    for found, everything in zip(plaid, exact, strict=True):
        scores = {hit.passage_id: hit.score for hit in everything}
        assert [hit.score for hit in found] == pytest.approx([scores[hit.passage_id] for hit in found], abs=1e-4)


def test_rankings_are_ordered_whole_and_without_duplicates(searcher):
    for k in (1, 10, 30, 101):
        for ranked in searcher.search(QUESTIONS[:4], k):
            assert len(set(ids(ranked))) == len(ranked) == k
            assert [hit.score for hit in ranked] == sorted((hit.score for hit in ranked), reverse=True)


def test_fewer_than_k_only_if_the_index_holds_fewer(searcher):
    for ranked in searcher.search(QUESTIONS[:2], len(PASSAGES) + 50):
        assert sorted(ids(ranked)) == sorted(passage.passage_id for passage in PASSAGES)


def test_a_search_does_not_depend_on_earlier_ones(pair, searcher):
    searcher.search(QUESTIONS[:3], 1)
    after, fresh = searcher.search(QUESTIONS[:3], 30), load_searcher(pair).search(QUESTIONS[:3], 30)
    assert after == fresh


def test_equal_scores_go_by_passage_id(pair, tmp_path):
    rows = [Passage(name, PASSAGES[0].text) for name in ("z", "b", "m")] + PASSAGES[5:30]
    build(pair / "retriever", rows, SETTINGS, tmp_path / "index", 1)
    twins = Searcher.load(tmp_path / "index", Retriever.load(pair / "retriever", SETTINGS), pair / "retriever", rows)
    best = twins.search([QUESTIONS[0]], 3)[0]
    assert ids(best) == ["b", "m", "z"]
    assert len({hit.score for hit in best}) == 1


def test_a_moved_pair_finds_the_same(pair, searcher, tmp_path):
    moved = Path(shutil.copytree(pair, tmp_path / "moved"))
    assert load_searcher(moved).search(QUESTIONS[:3], 5) == searcher.search(QUESTIONS[:3], 5)


def test_candidates_are_mined_for_every_question(searcher):
    questions = [Question(f"q{number}", text, ("yes", "no"), 0, "train") for number, text in enumerate(QUESTIONS)]
    pools = candidates.mine(searcher, questions, 30)
    assert list(pools) == [question.question_id for question in questions]
    assert {len(pool) for pool in pools.values()} == {30}


def test_a_refreshed_index_answers_as_a_new_one(pair, tmp_path):
    """Same 10 passages for 99 % of the questions, by PLAID, after passages were added, replaced and deleted."""
    folder = shutil.copytree(pair / "index", tmp_path / "index")
    more = [Passage(**row) for row in make_passages(load()[25:28])]
    replaced = [dataclasses.replace(PASSAGES[9], text=PASSAGES[9].text + " It is rare.")]
    rows = [*PASSAGES[3:9], *replaced, *PASSAGES[10:], *more]
    assert refresh(pair / "retriever", rows, SETTINGS, folder, 1) == Changes(len(more), 1, 3, len(PASSAGES) - 4)
    build(pair / "retriever", rows, SETTINGS, tmp_path / "new", 1)
    retriever = Retriever.load(pair / "retriever", SETTINGS)
    asked = [sentence for passage in rows for sentence in passage.text.split(".") if len(sentence) > 30][::2]
    refreshed, new = (
        Searcher.load(place, retriever, pair / "retriever", rows).search(asked, 10)
        for place in (folder, tmp_path / "new")
    )
    same = sum(set(ids(one)) == set(ids(other)) for one, other in zip(refreshed, new, strict=True))
    assert len(asked) > 100
    assert same / len(asked) >= 0.99


@pytest.fixture(scope="module")
def built(pair: Path) -> Path:
    """The generation of the index of PASSAGES."""
    return generation.current(pair / "index")


@pytest.fixture(scope="module")
def queries(pair: Path) -> torch.Tensor:
    with torch.inference_mode():
        return Retriever.load(pair / "retriever", SETTINGS).encode_queries(QUESTIONS)


def share(found: list[list[int]], expected: list[list[int]]) -> float:
    pairs = zip(found, expected, strict=True)
    return sum(len(set(one) & set(other)) for one, other in pairs) / sum(map(len, expected))


def tops(found, k):
    return [sorted(pids.tolist(), key=dict(zip(pids.tolist(), -scores, strict=True)).get)[:k] for pids, scores in found]


def test_the_backend_finds_what_the_exact_one_finds(built, queries):
    stored = StoredEmbeddings.open(built)
    plaid = PlaidBackend(built / manifest.PLAID_FOLDER, stored)
    exact = tops(ExactBackend(stored).best(queries, 10), 10)
    assert share(tops(plaid.best(queries, 10), 10), exact) >= 0.98


def test_colbert_ai_reads_the_files_and_finds_nearly_the_embeddings(built, queries, monkeypatch):
    """Guards codes, residuals and buckets, none of which our own scores need, and the lists of passages."""
    from colbert.infra.config.settings import RunSettings
    from colbert.search.index_storage import IndexScorer
    from colbert.search.strided_tensor import StridedTensor

    monkeypatch.setattr(RunSettings, "total_visible_gpus", 0)
    for kind in (IndexScorer, StridedTensor):  # C++, which the slow test below compiles
        monkeypatch.setattr(kind, "try_load_torch_extensions", lambda use_gpu: None)
    read = IndexScorer(str(built / manifest.PLAID_FOLDER), use_gpu=False)
    codes = read.embeddings.codes[: read.num_embeddings]  # it reads into a longer, uninitialised tensor
    residuals = read.embeddings.residuals[: read.num_embeddings]
    vectors = read.codec.decompress(type(read.embeddings)(codes, residuals))
    stored = StoredEmbeddings.open(built)
    assert read.doclens.tolist() == stored.lengths.tolist()
    passages = torch.arange(len(stored.lengths)).repeat_interleave(read.doclens)
    scores = [(query @ vectors.T).split(read.doclens.tolist(), dim=1) for query in queries]
    scores = torch.stack([torch.stack([part.max(1).values.sum() for part in parts]) for parts in scores])
    everything = torch.stack(list(score_all(stored.tokens, queries)))
    assert share(scores.topk(10).indices.tolist(), everything.topk(10).indices.tolist()) >= 0.9
    torch.testing.assert_close(scores, everything, atol=1.0, rtol=0)
    lists = read.ivf.tensor[: int(read.ivf.lengths.sum())].split(read.ivf.lengths.tolist())
    for centroid, pids in enumerate(lists):
        assert pids.tolist() == passages[codes == centroid].unique().tolist()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="colbert-ai's scorer compiles extensions")
def test_colbert_ai_ranks_by_the_files_nearly_as_well(built, queries, monkeypatch):
    from colbert.infra.config import ColBERTConfig

    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # ninja
    from colbert.infra.config.settings import RunSettings
    from colbert.modeling.colbert import ColBERT
    from colbert.search.index_storage import IndexScorer

    monkeypatch.setattr(RunSettings, "total_visible_gpus", 0)
    ColBERT.try_load_torch_extensions(False)
    scorer = IndexScorer(str(built / manifest.PLAID_FOLDER), use_gpu=False)
    config = ColBERTConfig(query_maxlen=32, ncells=4, centroid_score_threshold=0.4, ndocs=1024)
    config.total_visible_gpus = 0
    ranked = [scorer.rank(config, query[None]) for query in queries]
    stored = StoredEmbeddings.open(built)
    assert share([pids[:10] for pids, _ in ranked], tops(ExactBackend(stored).best(queries, 10), 10)) >= 0.9
    everything = score_all(stored.tokens, queries)
    for (pids, scores), exact in zip(ranked, everything, strict=True):
        assert scores == pytest.approx(exact[pids].tolist(), abs=1.0)
