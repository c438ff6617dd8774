"""Refreshing: only new texts are encoded, and the index answers as one built from nothing."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from jmlr.errors import DataError, FingerprintMismatch, MissingResource
from jmlr.index import generation, manifest
from jmlr.index.build import build
from jmlr.index.refresh import Changes, refresh
from jmlr.index.search import Searcher
from jmlr.models.retriever import Retriever
from jmlr.types import Passage

pytestmark = pytest.mark.numerical

QUESTIONS = ["gout toe pain", "kidney stone urine blood", "anxiety sleep loss", "lung infection fever cough"]


@pytest.fixture
def folder(index_folder, tmp_path):
    return shutil.copytree(index_folder, tmp_path / "index")


@pytest.fixture
def changed(passages) -> list[Passage]:
    """Two deleted, one replaced, two added in the middle, two exchanged."""
    rows = [
        *passages[2:20],
        Passage("new1", "insulin thirst sugar weight."),
        Passage("new2", "gout uric acid crystal."),
    ]
    rows += [dataclasses.replace(passages[20], text="anxiety sleep loss headache vision."), *passages[21:]]
    rows[0], rows[5] = rows[5], rows[0]
    return rows


def test_a_refreshed_index_answers_as_a_new_one(folder, retriever_folder, settings, changed, tmp_path):
    settings = settings.model_copy(update={"backend": "exact"})
    changes = refresh(retriever_folder, changed, settings, folder, seed=3)
    assert changes == Changes(added=2, replaced=1, deleted=2, kept=45)
    build(retriever_folder, changed, settings, tmp_path / "new", seed=3)
    retriever = Retriever.load(retriever_folder, settings)
    refreshed, new = (
        Searcher.load(place, retriever, retriever_folder, changed).search(QUESTIONS, 10)
        for place in (folder, tmp_path / "new")
    )
    for one, other in zip(refreshed, new, strict=True):
        assert [hit.passage_id for hit in one] == [hit.passage_id for hit in other]
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=5e-3)


def test_only_new_texts_are_encoded(folder, retriever_folder, settings, changed, monkeypatch):
    encoded: list[str] = []
    original = Retriever.encode_passages
    monkeypatch.setattr(
        Retriever, "encode_passages", lambda self, texts: encoded.extend(texts) or original(self, texts)
    )
    refresh(retriever_folder, changed, settings, folder, seed=3)
    assert sorted(encoded) == sorted(changed[place].indexed_text for place in (18, 19, 20))


def test_a_new_id_of_a_known_text_is_not_encoded(folder, retriever_folder, settings, passages, monkeypatch):
    monkeypatch.setattr(Retriever, "encode_passages", None)
    renamed = [dataclasses.replace(passage, passage_id=f"{passage.passage_id}x") for passage in passages]
    assert refresh(retriever_folder, renamed, settings, folder, seed=3) == Changes(48, 0, 48, 0)


def test_the_manifest_counts_generations_and_one_folder_is_left(folder, retriever_folder, settings, changed):
    refresh(retriever_folder, changed, settings, folder, seed=3)
    made = manifest.check(generation.current(folder), retriever_folder, changed)
    assert (made.generation, made.passage_count) == (2, 48)
    assert generation.current(folder).name.startswith("generation-2-")
    assert len(list(folder.iterdir())) == 2


def test_nothing_changed_leaves_the_generation(folder, retriever_folder, settings, passages, capsys):
    before = generation.current(folder)
    assert refresh(retriever_folder, passages, settings, folder, seed=3) == Changes(0, 0, 0, 48)
    assert "nothing to refresh" in capsys.readouterr().out
    assert generation.current(folder) == before


def test_what_other_libraries_encoded_is_encoded_again(folder, retriever_folder, settings, changed, monkeypatch):
    monkeypatch.setattr(manifest, "version", lambda name: "0.0")
    encoded: list[str] = []
    original = Retriever.encode_passages
    monkeypatch.setattr(
        Retriever, "encode_passages", lambda self, texts: encoded.extend(texts) or original(self, texts)
    )
    refresh(retriever_folder, changed, settings, folder, seed=3)
    assert len(encoded) == 48


def test_another_retriever_is_refused_and_nothing_changes(folder, other_retriever_folder, settings, changed):
    before = generation.current(folder)
    with pytest.raises(FingerprintMismatch, match="of another retriever .*; expected retriever "):
        refresh(other_retriever_folder, changed, settings, folder, seed=3)
    assert generation.current(folder) == before


def test_a_refresh_that_is_cut_off_leaves_the_old_index(
    folder, retriever, retriever_folder, settings, passages, changed, monkeypatch
):
    def stop(self, texts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Retriever, "encode_passages", stop)
        with pytest.raises(KeyboardInterrupt):
            refresh(retriever_folder, changed, settings, folder, seed=3)
    assert len(Searcher.load(folder, retriever, retriever_folder, passages).search(QUESTIONS, 3)) == 4
    refresh(retriever_folder, changed, settings, folder, seed=3)
    assert manifest.check(generation.current(folder), retriever_folder, changed).generation == 2


def test_an_open_index_answers_on_after_a_refresh(folder, retriever, retriever_folder, settings, passages, changed):
    searcher = Searcher.load(folder, retriever, retriever_folder, passages, "exact")
    before = searcher.search(QUESTIONS, 5)
    refresh(retriever_folder, changed, settings, folder, seed=3)
    assert searcher.search(QUESTIONS, 5) == before


def test_no_index_and_no_passages_are_errors(folder, retriever_folder, settings, passages, tmp_path):
    with pytest.raises(MissingResource, match="no index"):
        refresh(retriever_folder, passages, settings, tmp_path / "none", seed=3)
    with pytest.raises(DataError, match="no passages"):
        refresh(retriever_folder, [], settings, folder, seed=3)
