"""The papers of a version, and whose they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jmlr import fingerprint
from jmlr.registry.version import record
from jmlr.registry.version.lookup import Version

PROTOCOL = {"prompt": "as it was"}


class StoreOfOneRun:
    """The artifacts of a run in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list_artifacts(self, run_id: str, path: str) -> list[Path]:
        place = self.folder / path
        return list(place.iterdir()) if place.is_dir() else []

    def download_artifacts(self, run_id: str, path: str) -> str:
        return str(self.folder / path)


@pytest.fixture
def store(tmp_path: Path) -> StoreOfOneRun:
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "protocol.json").write_text(json.dumps(PROTOCOL))
    return StoreOfOneRun(tmp_path)


def version(**tags: str) -> Version:
    tags = {record.PROTOCOL_TAG: fingerprint.of_json(PROTOCOL), **tags}
    return Version(2, "run", tags, "jmlr")


def fetched(store: StoreOfOneRun, **tags: str) -> Path | None:
    return record.fetch(store, version(**tags)).evaluation  # type: ignore[arg-type]


def test_a_version_without_papers_has_the_evaluation_of_its_run(store: StoreOfOneRun) -> None:
    assert fetched(store) == store.folder / "evaluation"


def test_an_evaluation_of_another_protocol_is_not_its_own(store: StoreOfOneRun) -> None:
    assert fetched(store, protocol_hash="another") is None


def test_a_refreshed_version_is_not_judged_by_the_answers_of_the_one_it_was_made_from(store: StoreOfOneRun) -> None:
    assert fetched(store, refreshed_from="1") is None
    own = store.folder / "versions" / "jmlr-2" / "evaluation"
    own.mkdir(parents=True)
    (own / "protocol.json").write_text(json.dumps(PROTOCOL))
    assert fetched(store, refreshed_from="1") == own
