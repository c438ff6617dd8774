"""PLAID's candidates from its files: as wide as asked, never fewer than k, scored as an exact search scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from colbert.indexing.codecs.residual import ResidualCodec
from colbert.infra.config import ColBERTConfig

from jmlr.errors import MissingResource
from jmlr.index import generation, manifest, plaid, plaid_search
from jmlr.index.build import build
from jmlr.index.embeddings import StoredEmbeddings, ranges
from jmlr.index.exact import largest_a_passage, score_all
from jmlr.index.plaid_search import PlaidBackend, Width

pytestmark = pytest.mark.numerical

QUESTIONS = ["gout toe pain", "kidney stone urine blood", "anxiety sleep loss"]


@pytest.fixture(scope="module")
def built(retriever_folder, passages, settings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plaid") / "index"
    build(retriever_folder, passages, settings.model_copy(update={"backend": "plaid"}), folder, seed=3)
    return generation.current(folder)


@pytest.fixture
def stored(built) -> StoredEmbeddings:
    return StoredEmbeddings.open(built)


@pytest.fixture
def backend(built, stored) -> PlaidBackend:
    return PlaidBackend(built / manifest.PLAID_FOLDER, stored)


@pytest.fixture
def queries(retriever) -> torch.Tensor:
    with torch.inference_mode():
        return retriever.encode_queries(QUESTIONS)


def narrow(monkeypatch: pytest.MonkeyPatch, width: Width) -> None:
    monkeypatch.setattr(Width, "for_k", classmethod(lambda cls, k: width))


def test_all_passages_come_once_where_all_are_asked_for(backend, stored, queries):
    everything = score_all(stored.tokens, queries).numpy()
    for (pids, scores), exact in zip(backend.best(queries, 1000), everything, strict=True):
        assert sorted(pids) == list(range(48))
        assert scores == pytest.approx(exact[pids], rel=2e-5)


@pytest.mark.parametrize("k", [1, 10, 30, 47])
def test_at_least_k_come_with_their_exact_scores(backend, stored, queries, monkeypatch, k):
    narrow(monkeypatch, Width(cells=1, threshold=0.5, documents=4 * k))
    everything = score_all(stored.tokens, queries).numpy()
    for (pids, scores), exact in zip(backend.best(queries, k), everything, strict=True):
        assert k <= len(pids) == len(set(pids.tolist()))
        assert scores == pytest.approx(exact[pids], rel=2e-5)


def test_sifting_keeps_the_passages_that_centroids_put_first(backend, queries):
    likeness, lengths = backend._centroids @ queries[0].T, backend.tokens.lengths
    pids = torch.arange(48)
    by_centroids = largest_a_passage(likeness[backend._codes.long()], lengths).sum(dim=1)
    kept = backend._sift(pids, likeness, Width(cells=1, threshold=-2.0, documents=40))
    assert set(kept.tolist()) == set(by_centroids.topk(10).indices.tolist())


def test_the_first_sifting_counts_near_centroids_only(backend, queries):
    likeness, lengths = backend._centroids @ queries[0].T, backend.tokens.lengths
    threshold = likeness.amax(dim=1).quantile(0.8).item()
    near = torch.where((likeness.amax(dim=1) >= threshold)[:, None], likeness, -torch.inf)
    first = largest_a_passage(near[backend._codes.long()], lengths).sum(dim=1).topk(20).indices
    second = largest_a_passage(likeness[backend._codes.long()], lengths).sum(dim=1)[first].topk(5).indices
    kept = backend._sift(torch.arange(48), likeness, Width(cells=1, threshold=threshold, documents=20))
    assert set(kept.tolist()) == set(first[second].tolist())


def test_nothing_near_is_no_error(backend, queries, monkeypatch):
    narrow(monkeypatch, Width(cells=4, threshold=2.0, documents=20))
    assert all(len(pids) == 5 for pids, _ in backend.best(queries, 5))


def test_a_search_does_not_depend_on_the_batch(backend, queries):
    together = backend.best(queries, 5)
    for number, (pids, scores) in enumerate(together):
        alone_pids, alone_scores = backend.best(queries[number : number + 1], 5)[0]
        assert np.array_equal(pids, alone_pids)
        assert scores == pytest.approx(alone_scores, rel=2e-5)


@pytest.mark.parametrize("k", [1, 10, 11, 100, 101, 3000])
def test_a_quarter_of_the_documents_is_enough_for_k(k):
    assert Width.for_k(k).documents // 4 >= k


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_residuals_are_packed_as_colbert_ai_packs_them(bits):
    config = ColBERTConfig(dim=32, nbits=bits)
    config.total_visible_gpus = 0
    draw = torch.Generator().manual_seed(bits)
    cutoffs, weights = torch.linspace(-1, 1, 2**bits - 1), torch.linspace(-1, 1, 2**bits)
    ours = plaid.Buckets(cutoffs, weights, torch.tensor(0.1))
    theirs = ResidualCodec(config, torch.eye(32), 0.1, cutoffs, weights)
    residuals = torch.randn(50, 32, generator=draw)
    residuals[0, : len(cutoffs)] = cutoffs[:32]  # a value on a border
    assert ours.pack(residuals).dtype == torch.uint8
    assert torch.equal(ours.pack(residuals), theirs.binarize(residuals))


def test_the_seed_decides_every_byte(stored, settings, tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        plaid.write(stored, settings, tmp_path / name, seed)
    one, again, other = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "again", "other")
    )
    assert one == again
    assert one[plaid_search.CENTROIDS_FILE] != other[plaid_search.CENTROIDS_FILE]


def test_passages_of_several_chunks_are_one_index(built, stored, settings, queries, tmp_path, monkeypatch):
    monkeypatch.setattr(plaid, "_CHUNK_PASSAGES", 10)
    plaid.write(stored, settings, tmp_path, 3)
    assert len(list(tmp_path.glob("*.codes.pt"))) == math.ceil(48 / 10)
    parted = PlaidBackend(tmp_path, stored).best(queries, 10)
    whole = PlaidBackend(built / manifest.PLAID_FOLDER, stored).best(queries, 10)
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(parted, whole, strict=True))


def test_an_index_built_for_exact_search_alone_is_told(stored, tmp_path):
    with pytest.raises(MissingResource, match="not built for PLAID"):
        PlaidBackend(tmp_path / manifest.PLAID_FOLDER, stored)


def test_rows_of_passages_are_numbered_one_after_another():
    assert ranges(torch.tensor([5, 1]), torch.tensor([0, 2])).tolist() == [1, 2]
