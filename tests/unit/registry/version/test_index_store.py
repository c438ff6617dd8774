from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from jmlr.errors import FingerprintMismatch, RegistryError
from jmlr.registry.version.contents import Contents
from jmlr.registry.version.index_store import STORE_VARIABLE, StoredIndex, keep
from jmlr.registry.version.lookup import files
from jmlr.registry.version.pair import Pair


@pytest.fixture
def stored(pair: Pair, tmp_path: Path) -> StoredIndex:
    return keep(pair.index, pair.passages, tmp_path / "store")


def test_a_version_refers_to_the_index_and_answers(
    enter: Callable[..., tuple], unit: Contents, model_name: str, tracked: MlflowClient, tmp_path: Path
) -> None:
    version, _ = enter(replace(unit, index_store=tmp_path / "store"))
    artifacts = Path(tracked.get_model_version_download_uri(model_name, str(version.number))) / "artifacts"
    assert not (artifacts / "index").exists()
    assert not (artifacts / "passages.parquet").exists()
    opened = files(tracked, version)
    assert opened.pair.index.parent.parent == tmp_path / "store"
    assert opened.pair.pair_hash() == unit.pair.pair_hash()
    table = pd.DataFrame([{"question": "Which test?", "options": ["MRI", "ECG"]}])
    [answer] = mlflow.pyfunc.load_model(f"models:/{model_name}@challenger").predict(table)
    assert answer["answer"] == "MRI"


def test_two_versions_of_one_index_share_an_entry(enter: Callable[..., tuple], unit: Contents, tmp_path: Path) -> None:
    referring = replace(unit, index_store=tmp_path / "store")
    first, _ = enter(referring)
    (unit.pair.reader / "weights.bin").write_bytes(b"another reader")
    second, is_new = enter(referring)
    assert is_new
    assert second.number != first.number
    assert len(list((tmp_path / "store").iterdir())) == 1


def test_where_the_index_lies_makes_no_other_unit(unit: Contents, tmp_path: Path) -> None:
    referring = replace(unit, index_store=tmp_path / "store")
    assert referring.find_facts("run").unit_hash == unit.find_facts("run").unit_hash


@pytest.mark.parametrize("name", ["embeddings.npy", "manifest.json"])
def test_a_changed_file_is_refused_with_its_name(stored: StoredIndex, name: str) -> None:
    file = stored.folder() / "index" / "generation-1-abc" / name
    file.unlink()
    file.write_bytes(b"longer than it was before")
    with pytest.raises(FingerprintMismatch, match=rf"{name}: the version's index was changed: 25 bytes; expected \d+"):
        stored.folder()


def test_a_manifest_of_the_same_size_is_refused(stored: StoredIndex) -> None:
    file = stored.folder() / "index" / "generation-1-abc" / "manifest.json"
    file.unlink()
    file.write_text("[]")
    with pytest.raises(FingerprintMismatch, match=r"manifest\.json: the version's index was changed: hash"):
        stored.folder()


def test_registering_again_reads_every_byte_of_the_entry(stored: StoredIndex, pair: Pair, tmp_path: Path) -> None:
    file = stored.folder() / "index" / "generation-1-abc" / "embeddings.npy"
    file.unlink()
    file.write_bytes(b"VECTORS")
    assert stored.folder()  # as large as before: opening does not read it all
    with pytest.raises(FingerprintMismatch, match=r"embeddings\.npy: the version's index was changed: hash"):
        keep(pair.index, pair.passages, tmp_path / "store")


def test_a_store_that_moved_is_found_by_the_variable(
    stored: StoredIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(RegistryError, match=rf"(?s)the version's index is not there.*next: .*{STORE_VARIABLE}=FOLDER"):
        stored.folder()
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "elsewhere"))
    assert stored.folder() == tmp_path / "elsewhere" / stored.name


def test_the_entry_survives_what_it_was_made_of(stored: StoredIndex, pair: Pair) -> None:
    pair.passages.unlink()
    assert (stored.folder() / "passages.parquet").exists()


def test_a_store_that_moved_with_its_project_is_found(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep(pair.index, pair.passages, tmp_path / "a" / "stores" / "kept")
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(RegistryError, match="the version's index is not there"):
        stored.folder()
    monkeypatch.chdir(tmp_path / "b")
    assert stored.folder().resolve() == tmp_path / "b" / "stores" / "kept" / stored.name
