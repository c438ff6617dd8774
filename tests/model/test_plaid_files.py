"""PLAID's files as colbert-ai's own scorer reads them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from jmlr.config import BaseRetrieverSettings, IndexSettings
from jmlr.index import generation, manifest
from jmlr.index.build import build
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.exact import ExactBackend
from jmlr.index.plaid_search import PlaidBackend
from jmlr.index.quiet import quiet_cpu
from jmlr.models import retriever as retrievers
from jmlr.models.retriever import Retriever
from jmlr.starter.dataset import make_passages
from jmlr.starter.knowledge import load
from jmlr.types import Passage

SETTINGS = IndexSettings(
    backend="plaid", hybrid=False, query_tokens=32, passage_tokens=96, bits=4, kmeans_iterations=4, candidates=30
)
PASSAGES = [Passage(**row) for row in make_passages(load()[:25])]
QUESTIONS = [passage.text.split(".")[-2] for passage in PASSAGES[::5]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generation of an index of PASSAGES, and beside it queries.pt."""
    folder = tmp_path_factory.mktemp("pair")
    source = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)
    retrievers.create(source, SETTINGS, folder / "retriever", [passage.indexed_text for passage in PASSAGES], 1)
    build(folder / "retriever", PASSAGES, SETTINGS, folder / "index", 1)
    with torch.inference_mode():
        queries = Retriever.load(folder / "retriever", SETTINGS).encode_queries(QUESTIONS)
    torch.save(queries, generation.current(folder / "index") / "queries.pt")
    return generation.current(folder / "index")


@pytest.fixture
def queries(built) -> torch.Tensor:
    return torch.load(built / "queries.pt", weights_only=True)


def share(found: list[list[int]], expected: list[list[int]]) -> float:
    pairs = zip(found, expected, strict=True)
    return sum(len(set(one) & set(other)) for one, other in pairs) / sum(map(len, expected))


def tops(found, k):
    return [sorted(pids.tolist(), key=dict(zip(pids.tolist(), -scores, strict=True)).get)[:k] for pids, scores in found]


def test_plaid_finds_what_exact_search_finds(built, queries):
    stored = StoredEmbeddings.open(built)
    plaid = PlaidBackend(built / manifest.PLAID_FOLDER, stored)
    exact = tops(ExactBackend(stored).best(queries, 10), 10)
    assert share(tops(plaid.best(queries, 10), 10), exact) >= 0.98


@pytest.mark.skipif(not shutil.which("c++"), reason="colbert-ai's scorer compiles extensions")
def test_colbert_ai_reads_the_files_and_ranks_by_them_nearly_as_well(built, queries, monkeypatch):
    """Guards codes, residuals and buckets, none of which our own scores need."""
    from colbert.infra.config import ColBERTConfig

    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # ninja
    with quiet_cpu():
        from colbert.modeling.colbert import ColBERT
        from colbert.search.index_storage import IndexScorer

        ColBERT.try_load_torch_extensions(False)
        scorer = IndexScorer(str(built / manifest.PLAID_FOLDER), use_gpu=False)
    config = ColBERTConfig(query_maxlen=32, ncells=4, centroid_score_threshold=0.4, ndocs=1024)
    config.total_visible_gpus = 0
    ranked = [scorer.rank(config, query[None]) for query in queries]
    stored = StoredEmbeddings.open(built)
    assert share([pids[:10] for pids, _ in ranked], tops(ExactBackend(stored).best(queries, 10), 10)) >= 0.9
    everything = ExactBackend(stored).score_all(queries)
    for (pids, scores), exact in zip(ranked, everything, strict=True):
        assert scores == pytest.approx(exact[pids].tolist(), abs=1.0)
