"""An index is refused with both hashes unless retriever and passages are those it was made of."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from jmlr import fingerprint
from jmlr.errors import DataError, FingerprintMismatch, MissingResource
from jmlr.index import manifest
from jmlr.models.retriever import Retriever
from jmlr.types import Passage


def test_manifest_says_what_the_index_was_made_of(generation_folder, retriever_folder, passages, settings):
    made = manifest.check(generation_folder, retriever_folder, passages)
    assert made.retriever == fingerprint.of_file(retriever_folder / "model.safetensors")
    assert made.passages == fingerprint.of_passages(passages)
    assert made.settings == settings.model_dump(include={"query_tokens", "passage_tokens", "bits", "kmeans_iterations"})
    assert (made.backend, made.seed) == ("plaid", 3)
    assert (made.passage_count, made.generation) == (48, 1)
    assert made.embedding_count > 48
    assert set(made.libraries) == {"colbert-ai", "faiss-cpu", "torch", "transformers"}


def test_what_is_written_is_read(generation_folder, tmp_path):
    made = manifest.read(generation_folder)
    manifest.write(made, tmp_path)
    assert manifest.read(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows, Passage("new", "gout")],
        lambda rows: rows[::-1],
        lambda rows: [dataclasses.replace(rows[0], text="other"), *rows[1:]],
        lambda rows: [dataclasses.replace(rows[0], passage_id="renamed"), *rows[1:]],
    ],
    ids=["added", "reordered", "edited", "renamed"],
)
def test_other_passages_are_refused_with_both_hashes(generation_folder, retriever_folder, passages, change):
    changed = change(passages)
    expected = f"{fingerprint.of_passages(passages)}.*{fingerprint.of_passages(changed)}(?s:.*)next: train anew"
    with pytest.raises(FingerprintMismatch, match=expected):
        manifest.check(generation_folder, retriever_folder, changed)


def test_another_retriever_is_refused_with_both_hashes(
    generation_folder, retriever_folder, other_retriever_folder, passages
):
    made_of, found = Retriever.fingerprint(retriever_folder), Retriever.fingerprint(other_retriever_folder)
    with pytest.raises(FingerprintMismatch, match=f"retriever .{made_of}.; expected retriever {found}") as caught:
        manifest.check(generation_folder, other_retriever_folder, passages)
    assert "passages" not in str(caught.value)


def test_both_differences_are_named_at_once(generation_folder, other_retriever_folder):
    with pytest.raises(FingerprintMismatch, match="of another retriever .* and of other passages "):
        manifest.check(generation_folder, other_retriever_folder, [])


def test_a_missing_index_names_the_command(tmp_path, retriever_folder, passages):
    with pytest.raises(MissingResource, match=rf"{re.escape(str(tmp_path))}: no index(?s:.*)dvc repro index"):
        manifest.check(tmp_path, retriever_folder, passages)


@pytest.mark.parametrize("broken", ["{", "[]", '{"retriever": "x"}', "unknown"])
def test_a_broken_manifest_is_an_error(generation_folder, tmp_path, broken):
    if broken == "unknown":
        broken = json.dumps({**dataclasses.asdict(manifest.read(generation_folder)), "surprise": 1})
    (tmp_path / "manifest.json").write_text(broken, encoding="utf-8")
    with pytest.raises(DataError, match="not an index manifest"):
        manifest.read(tmp_path)


def test_other_lengths_are_refused(generation_folder, retriever_folder, settings):
    longer = Retriever.load(retriever_folder, settings.model_copy(update={"query_tokens": 32}))
    with pytest.raises(FingerprintMismatch, match=r"'query_tokens': 16.*'query_tokens': 32"):
        manifest.check_lengths(manifest.read(generation_folder), longer, generation_folder)


def test_a_moved_index_is_still_the_same(generation_folder, retriever_folder, passages, tmp_path):
    moved = shutil.copytree(generation_folder, tmp_path / "elsewhere")
    assert manifest.check(moved, retriever_folder, passages) == manifest.read(generation_folder)


@pytest.mark.parametrize("file", ["embeddings.npy", "offsets.npy", "passages.parquet"])
@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_damaged_generation_is_refused(generation_folder, tmp_path, file, damage):
    damaged = Path(shutil.copytree(generation_folder, tmp_path / "generation-1-x"))
    if damage == "missing":
        (damaged / file).unlink()
    else:
        content = (damaged / file).read_bytes()
        (damaged / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="dvc repro index"):
        manifest.check_files(manifest.read(damaged), damaged)


def test_files_of_another_generation_are_refused(generation_folder):
    made = manifest.read(generation_folder)
    with pytest.raises(DataError, match=r"number \(48, .*expected \(48, 7, 7\), as manifest.json says"):
        manifest.check_files(dataclasses.replace(made, embedding_count=7), generation_folder)
