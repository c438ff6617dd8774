"""Refreshing both indexes after new passages: models stay, candidates follow."""

from __future__ import annotations

import shutil

import pytest

from jmlr import config
from jmlr.data.tables import write_passages, write_questions
from jmlr.errors import FingerprintMismatch, MissingResource
from jmlr.index import build, candidates, generation, manifest
from jmlr.stages import layout, refresh
from jmlr.types import Passage


@pytest.fixture
def settings(
    repository, tmp_path, monkeypatch, tiny_passages, tiny_questions, tiny_retriever_folder, tiny_index_settings
):
    """A folder with a base and a trained pair, both of the tiny retriever, and their indexes."""
    settings = config.load(repository / "params.yaml").model_copy(update={"index": tiny_index_settings})
    monkeypatch.chdir(tmp_path)
    layout.INGEST.mkdir(parents=True)
    write_passages(layout.PASSAGES, tiny_passages)
    write_questions(layout.QUESTIONS, tiny_questions)
    for retriever, index in (
        (layout.BASE_RETRIEVER, layout.INDEX),
        (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
    ):
        shutil.copytree(tiny_retriever_folder, retriever)
        build.build(retriever, tiny_passages, tiny_index_settings, index, settings.seed)
    return settings


def test_both_indexes_and_the_candidates_follow_the_passages(settings, tiny_passages, tiny_questions):
    now = [*tiny_passages[1:], Passage("new", "Gout is rare in children.")]
    write_passages(layout.PASSAGES, now)
    with pytest.raises(FingerprintMismatch, match="jmlr refresh"):
        manifest.check(generation.current(layout.TRAINED_INDEX), layout.TRAINED_RETRIEVER, now)
    refresh.run(settings)
    for retriever, index in (
        (layout.BASE_RETRIEVER, layout.INDEX),
        (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
    ):
        assert manifest.check(generation.current(index), retriever, now).generation == 2
    found = {hit.passage_id for pool in candidates.read(layout.CANDIDATES).values() for hit in pool}
    assert found <= {passage.passage_id for passage in now}
    assert candidates.read(layout.CANDIDATES).keys() == {q.question_id for q in tiny_questions if q.split == "train"}


def test_without_a_trained_pair_there_is_nothing_to_refresh(settings):
    shutil.rmtree(layout.TRAINED_RETRIEVER)
    with pytest.raises(MissingResource, match="no trained pair"):
        refresh.run(settings)
