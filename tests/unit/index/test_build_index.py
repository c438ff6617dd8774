"""Building: every passage encoded once, the same bytes for a seed, whole or not at all, and going on after a kill."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from jmlr import fingerprint
from jmlr.errors import ConfigError, DataError, JmlrError, MissingResource
from jmlr.index import encoding, generation
from jmlr.index.build import build, check_room
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.models.retriever import Retriever
from jmlr.types import Passage

pytestmark = pytest.mark.numerical


def test_every_passage_is_encoded_once(retriever_folder, passages, settings, tmp_path, monkeypatch):
    encoded: list[str] = []
    original = Retriever.encode_passages

    def encode(self, texts):
        encoded.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(Retriever, "encode_passages", encode)
    monkeypatch.setattr(encoding, "PASSAGES_PER_BATCH", 7)
    build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    assert sorted(encoded) == sorted(passage.indexed_text for passage in passages)
    retriever = Retriever.load(retriever_folder, settings)
    tokens = retriever.measure(encoded)[0].tolist()
    assert tokens == sorted(tokens, reverse=True), "the longest first, so that too little memory shows at once"


def test_stored_embeddings_are_those_of_the_passages_in_their_order(index_folder, retriever, passages):
    stored = StoredEmbeddings.open(generation.current(index_folder))
    assert stored.passage_ids == tuple(passage.passage_id for passage in passages)
    assert stored.vectors.dtype == np.float16
    assert isinstance(stored.vectors, np.memmap)
    for pid in (0, 17, 47):
        with torch.inference_mode():
            vectors, mask = retriever.encode_passages([passages[pid].indexed_text])
        expected = vectors[mask]
        own = torch.from_numpy(stored.vectors[stored.offsets[pid] : stored.offsets[pid + 1]]).float()
        torch.testing.assert_close(own, expected, atol=2e-3, rtol=0)
    lengths = np.linalg.norm(stored.vectors.astype(np.float32), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=2e-3)


def test_padded_keeps_the_asked_order_and_marks_padding(index_folder):
    stored = StoredEmbeddings.open(generation.current(index_folder))
    vectors, mask = stored.tokens.padded(torch.tensor([5, 2]))
    assert mask.sum(dim=1).tolist() == stored.lengths[[5, 2]].tolist()
    assert not vectors[~mask].any()
    own = stored.vectors[stored.offsets[2] : stored.offsets[3]]
    torch.testing.assert_close(vectors[1][mask[1]], torch.from_numpy(own).float())
    assert not len(stored.tokens.rows(torch.tensor([], dtype=torch.long)))


def test_the_same_seed_writes_the_same_bytes(index_folder, retriever_folder, passages, settings, tmp_path):
    again = build(retriever_folder, passages, settings, tmp_path / "again", seed=3)
    assert again.embedding_count == len(StoredEmbeddings.open(generation.current(index_folder)).vectors)
    assert fingerprint.of_folder(tmp_path / "again") == fingerprint.of_folder(index_folder)
    build(retriever_folder, passages, settings, tmp_path / "other", seed=4)
    one, other = (
        torch.load(generation.current(folder) / "plaid" / "centroids.pt")
        for folder in (index_folder, tmp_path / "other")
    )
    assert not torch.equal(one, other)


def test_no_file_names_a_path_or_the_time(index_folder, retriever_folder):
    for path in (path for path in index_folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert str(index_folder.parent).encode() not in content, path.name
        assert str(retriever_folder.parent).encode() not in content, path.name
        assert b"experiments" not in content, path.name
    assert not list(index_folder.rglob("plan.json"))


@pytest.mark.parametrize("count", [1, 3, 20])
def test_few_passages_are_enough(retriever_folder, passages, settings, tmp_path, count):
    assert build(retriever_folder, passages[:count], settings, tmp_path / "index", seed=1).passage_count == count


def test_a_failed_build_leaves_the_old_index(retriever_folder, passages, settings, tmp_path, monkeypatch):
    from jmlr.index import plaid

    folder = tmp_path / "index"
    build(retriever_folder, passages[:10], settings, folder, seed=1)
    before = fingerprint.of_folder(folder)

    def fail(*_):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(plaid, "write", fail)
        with pytest.raises(RuntimeError, match="the disk is full"):
            build(retriever_folder, passages, settings, folder, seed=1)
    assert fingerprint.of_folder(folder) == before
    assert build(retriever_folder, passages, settings, folder, seed=1).passage_count == 48
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert sorted(path.name for path in folder.iterdir()) == ["CURRENT", generation.current(folder).name]


def count_encoded(monkeypatch, stop_after: int | None = None) -> list[int]:
    """The number of texts in each batch that is encoded from now on; the one after `stop_after` batches fails."""
    batches: list[int] = []
    original = Retriever.encode_passages

    def encode(self, texts):
        if len(batches) == stop_after:
            raise KeyboardInterrupt
        batches.append(len(texts))
        return original(self, texts)

    monkeypatch.setattr(Retriever, "encode_passages", encode)
    return batches


@pytest.fixture
def small_tasks(monkeypatch):
    monkeypatch.setattr(encoding, "PASSAGES_PER_BATCH", 5)
    monkeypatch.setattr(encoding, "_BATCHES_PER_TASK", 1)


@pytest.mark.usefixtures("small_tasks")
def test_a_build_that_was_cut_off_goes_on_and_ends_the_same(
    retriever_folder, passages, settings, tmp_path, monkeypatch
):
    build(retriever_folder, passages, settings, tmp_path / "whole", seed=3)
    with monkeypatch.context() as patch:
        count_encoded(patch, stop_after=6)
        with pytest.raises(KeyboardInterrupt):
            build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    assert not (tmp_path / "index").exists()
    batches = count_encoded(monkeypatch)
    build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    assert len(batches) == 10 - 6
    assert fingerprint.of_folder(tmp_path / "index") == fingerprint.of_folder(tmp_path / "whole")


@pytest.mark.usefixtures("small_tasks")
def test_what_another_index_left_unfinished_is_not_taken_but_moved_aside(
    retriever_folder, passages, settings, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        count_encoded(patch, stop_after=6)
        with pytest.raises(KeyboardInterrupt):
            build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    (left,) = (tmp_path / ".index.unfinished").iterdir()
    written = fingerprint.of_folder(left)
    batches = count_encoded(monkeypatch)
    capsys.readouterr()
    build(retriever_folder, passages[:40], settings, tmp_path / "index", seed=3)
    assert sum(batches) == 40
    aside = tmp_path / "index-aside" / left.name
    assert fingerprint.of_folder(aside) == written
    said = f"an unfinished index of other passages, settings or weights was moved to {aside}; remove it"
    assert capsys.readouterr().out.count(said) == 1
    build(retriever_folder, passages[:41], settings, tmp_path / "index", seed=3)
    assert [folder.name for folder in (tmp_path / "index-aside").iterdir()] == [left.name], "what was finished is used"


@pytest.mark.usefixtures("small_tasks")
def test_several_processes_encode_the_same(
    retriever_folder, generation_folder, passages, settings, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(encoding, "suitable_processes", lambda _: 2)
    exact = settings.model_copy(update={"backend": "exact"})
    build(retriever_folder, passages, exact, tmp_path / "index", seed=3)
    assert "with 2 process(es)" in capsys.readouterr().out
    alone, together = (
        StoredEmbeddings.open(folder) for folder in (generation_folder, generation.current(tmp_path / "index"))
    )
    assert (alone.offsets == together.offsets).all()
    np.testing.assert_allclose(together.vectors.astype(np.float32), alone.vectors.astype(np.float32), atol=2e-3)


def test_processes_suit_the_machine(monkeypatch):
    monkeypatch.setattr(encoding.torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(encoding, "_cores", lambda: 16)
    assert [encoding.suitable_processes(count) for count in (10, 3999, 4000, 10**6)] == [1, 1, 2, 4]
    monkeypatch.setattr(encoding.torch.cuda, "device_count", lambda: 8)
    assert encoding.suitable_processes(10**6) == 8


def test_the_same_index_is_not_built_twice(index_folder, retriever_folder, passages, settings, tmp_path, capsys):
    folder = shutil.copytree(index_folder, tmp_path / "index")
    build(retriever_folder, passages, settings, folder, seed=3)
    assert "the same 48 passages are indexed already" in capsys.readouterr().out
    (generation.current(folder) / "embeddings.npy").write_bytes(b"cut off")
    build(retriever_folder, passages, settings, folder, seed=3)
    assert fingerprint.of_folder(folder) == fingerprint.of_folder(index_folder)


def test_size_and_time_are_told_before(retriever_folder, passages, settings, tmp_path, capsys):
    made = build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"index: 48 passages, {made.embedding_count} embeddings of 32 numbers, 0.")
    assert first.endswith("MB on disk for plaid search")
    assert second.startswith("index: encoding takes about ")


def test_a_full_disk_is_an_error_before_anything_is_encoded(
    retriever_folder, passages, settings, tmp_path, monkeypatch
):
    batches = count_encoded(monkeypatch)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MissingResource, match=r"0\.0 GB are free; expected room for 0\.0 GB"):
        build(retriever_folder, passages, settings, tmp_path / "index", seed=3)
    assert batches == []


def test_what_an_earlier_try_left_counts_as_room(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    (tmp_path / "embeddings.npy").write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    check_room(tmp_path, 2_000_000)
    with pytest.raises(MissingResource, match=r"expected room for 1\.0 GB of index"):
        check_room(tmp_path, 1_002_000_000)


def test_two_builders_of_one_index_do_not_meet(retriever_folder, passages, settings, tmp_path):
    with generation.building(tmp_path / "index"):
        with pytest.raises(JmlrError, match="another process builds this index"):
            build(retriever_folder, passages, settings, tmp_path / "index", seed=3)


@pytest.mark.parametrize("pointer", [None, "", "generation-9-x", "../elsewhere", "generation-1-x/../../elsewhere"])
def test_a_pointer_to_nothing_is_no_index(tmp_path, pointer):
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "index"
    folder.mkdir()
    if pointer is not None:
        (folder / "CURRENT").write_text(pointer)
    with pytest.raises(MissingResource, match="no index; expected CURRENT that names a generation"):
        generation.current(folder)


def test_no_passages_are_refused(retriever_folder, settings, tmp_path):
    with pytest.raises(DataError, match="no passages; expected at least 1"):
        build(retriever_folder, [], settings, tmp_path / "index", seed=1)


def test_an_id_that_comes_twice_is_refused(retriever_folder, settings, tmp_path):
    with pytest.raises(DataError, match="passage id p1 comes 2 times"):
        build(retriever_folder, [Passage("p1", "a"), Passage("p1", "b")], settings, tmp_path / "index", seed=1)


def test_a_folder_without_retriever_is_refused(passages, settings, tmp_path):
    with pytest.raises(MissingResource, match="no ColBERT checkpoint"):
        build(tmp_path, passages, settings, tmp_path / "index", seed=1)


def test_a_dimension_that_does_not_fill_bytes_is_refused(retriever_folder, passages, settings, tmp_path, monkeypatch):
    loaded = Retriever.load(retriever_folder, settings)
    loaded.colbert.colbert_config = replace(loaded.colbert.colbert_config, dim=24)
    monkeypatch.setattr(Retriever, "load", lambda *_: loaded)
    with pytest.raises(ConfigError, match="dimension 24 with index.bits 4; expected a multiple of 32"):
        build(retriever_folder, passages, settings, tmp_path / "index", seed=1)
