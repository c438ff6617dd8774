"""The models of a version with other passages: indexed, evaluated beside the version, registered; no more moves."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import yaml

from jmlr import fingerprint
from jmlr.commands.evaluate import refreshed
from jmlr.commands.passages import refresh
from jmlr.commands.registry import register_refreshed
from jmlr.data.tables import read_passages, write_passages, write_questions
from jmlr.data.withdrawal import WITHDRAWN_FILE
from jmlr.errors import DataError, MissingResource, RegistryError
from jmlr.files import write_json
from jmlr.index import generation, manifest
from jmlr.index.build import build
from jmlr.registry.version.lookup import Version, files, resolve
from jmlr.registry.version.record import fetch as record_of
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.tracking.run import TrainingRun
from jmlr.types import Passage


@pytest.fixture(scope="module")
def pair(tmp_path_factory, save_tiny_colbert, tiny_passages, tiny_index_settings, make_tiny_reader, tiny_tokenizer):
    """A folder with retriever, reader and index of the tiny passages."""
    place = tmp_path_factory.mktemp("pair")
    save_tiny_colbert(place / "retriever", seed=8)
    build(place / "retriever", tiny_passages, tiny_index_settings, place / "index", seed=1)
    make_tiny_reader().save_pretrained(place / "reader")
    tiny_tokenizer.save_pretrained(place / "reader")
    return place


@pytest.fixture
def settings(
    repository, tracked, pair, put_version, tiny_passages, tiny_questions, tiny_index_settings, prompt_settings
):
    """Version 1 of the pair, of a real run; the passages of today lack its first one, and have another."""
    found = params.load(repository / "params.yaml")
    changes = {
        "ingest": found.ingest.model_copy(update={"passage_tokens": 20, "overlap_tokens": 5}),
        "index": tiny_index_settings,
        "prompt": prompt_settings,
        "train": found.train.model_copy(update={"sampling": found.train.sampling.model_copy(update={"passages": 4})}),
        "evaluate": found.evaluate.model_copy(update={"bootstrap_samples": 100, "splits": ("test",)}),
    }
    made = found.model_copy(update=changes)
    layout.INGEST.mkdir(parents=True)
    write_passages(layout.PASSAGES, tiny_passages)
    raw = made.model_dump(mode="json", by_alias=True)
    pathlike = layout.BUILD / "version.yaml"
    pathlike.write_text(yaml.safe_dump(raw), encoding="utf-8")
    run = TrainingRun.start("exam", {})
    version = put_version(
        1, run.run_id, {"data_dvc_hash": "of the training"}, retriever=pair / "retriever", reader=pair / "reader",
        index=pair / "index", passages=layout.PASSAGES, params=pathlike,
    )  # fmt: skip
    write_passages(layout.PASSAGES, [*tiny_passages[1:], Passage("new", "Gout is rare in children.")])
    asked = [
        dataclasses.replace(one, split=("test", "test", "dev")[number % 3]) for number, one in enumerate(tiny_questions)
    ]
    write_questions(layout.QUESTIONS, asked)
    write_json(layout.PASSED, {"passed": True})
    track = made.track.model_copy(update={"registered_model": version.name})
    return made.model_copy(update={"track": track})


def record() -> dict:
    return json.loads(layout.REFRESHED_RECORD.read_text(encoding="utf-8"))


def test_the_index_follows_the_passages_and_the_version_stays(settings, pair, tracked):
    its = files(tracked, resolve(tracked, settings.track.registered_model, "1")).pair
    before = its.pair_hash(), fingerprint.of_folder(its.index)
    refresh.run(settings)
    found = manifest.check(
        generation.current(layout.REFRESHED_INDEX), its.retriever, read_passages(layout.REFRESHED_PASSAGES)
    )
    assert found.generation == 2
    assert record()["changes"] == {"added": 1, "replaced": 0, "deleted": 1, "kept": 19}
    assert (its.pair_hash(), fingerprint.of_folder(its.index)) == before
    assert not layout.TRAIN.exists()
    first = record()["pair_hash"]
    refresh.run(settings)
    assert record()["pair_hash"] == first


def test_it_is_evaluated_beside_its_version_and_proposed(settings, tracked, monkeypatch, capsys):
    name = settings.track.registered_model
    tracked.set_registered_model_alias(name, "champion", "1")
    refresh.run(settings, "@champion")
    with pytest.raises(RegistryError, match=r"(?s)not evaluated.*jmlr evaluate --refreshed"):
        register_refreshed.run(settings)
    refreshed.run(settings)
    compared = json.loads(layout.COMPARISON.read_text(encoding="utf-8"))
    assert (compared["refreshed_from"], compared["splits"]["test"]["questions"]) == (1, 8)
    assert len(compared["changed"]) == compared["splits"]["test"]["changed"]
    for folder in (layout.REFRESHED_EVALUATION, layout.EVALUATIONS / "version-1"):
        assert (folder / "predictions.parquet").exists()
    assert not layout.EVALUATE.exists()
    monkeypatch.setattr(refreshed, "evaluate_version", lambda *_: pytest.fail("evaluated again"))
    monkeypatch.setattr(refreshed, "evaluate_alone", lambda *_: pytest.fail("evaluated again"))
    refreshed.run(settings)
    register_refreshed.run(settings)
    register_refreshed.run(settings)
    assert "already registered" in capsys.readouterr().out
    two = tracked.get_model_version(name, "2")
    assert (two.tags["refreshed_from"], two.tags["trained_in"]) == ("1", "1")
    assert two.tags["data_dvc_hash"] == "of the training"
    assert two.tags["passages_changed"] == "1 added, 0 replaced, 1 deleted, 19 kept"
    assert two.tags["pair_hash"] == record()["pair_hash"]
    assert "not trained anew" in two.description
    carried = record_of(tracked, Version.of(two))
    assert carried.evaluation is not None
    own = layout.REFRESHED_EVALUATION / "predictions.parquet"
    assert (carried.evaluation / "predictions.parquet").read_bytes() == own.read_bytes()
    aliases = tracked.get_registered_model(name).aliases
    assert {alias: int(number) for alias, number in aliases.items()} == {"champion": 1, "challenger": 2}
    assert len(tracked.search_model_versions(f"name = '{name}'")) == 2


def test_the_same_passages_leave_nothing_to_do(settings, tiny_passages, capsys):
    write_passages(layout.PASSAGES, tiny_passages)
    refresh.run(settings)
    assert "there is nothing to evaluate or register" in capsys.readouterr().out
    with pytest.raises(MissingResource, match="build/refreshed has the passages of version 1"):
        refreshed.run(settings)


def test_passages_that_are_withdrawn_or_not_validated_are_refused(settings):
    WITHDRAWN_FILE.write_text("- {passage_id: new, reason: wrong, date: 2026-01-02, who: ann}\n")
    with pytest.raises(DataError, match=r"(?s)new is there, but withdrawn \(passage new: wrong\).*dvc repro validate"):
        refresh.run(settings)
    layout.PASSED.unlink()
    with pytest.raises(DataError, match="the passages are not validated"):
        refresh.run(settings)


def test_a_refresh_that_was_cut_off_is_not_taken_for_whole(settings, monkeypatch):
    refresh.run(settings)

    def fail(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        refresh.run(settings)
    with pytest.raises(MissingResource, match="nothing is refreshed"):
        refreshed.run(settings)


def test_without_a_version_there_is_nothing_to_refresh(settings):
    nobody = settings.track.model_copy(update={"registered_model": "nobody"})
    with pytest.raises(RegistryError, match=r"(?s)registered model nobody: no version.*jmlr register"):
        refresh.run(settings.model_copy(update={"track": nobody}))
