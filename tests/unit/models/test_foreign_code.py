"""Hostile checkpoints: refused with the house's error, and none of their code runs."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from jmlr.errors import MissingResource, UntrustedModel
from jmlr.models import encoder, reader
from jmlr.models import retriever as retrievers
from jmlr.models.retriever import Retriever
from jmlr.settings import BaseRetrieverSettings

AUTO_MAP = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel", "AutoModelForCausalLM": "evil.EvilModel"}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What hostile code would make."""
    return tmp_path / "executed"


@pytest.fixture
def hostile_module(marker: Path) -> str:
    """A module that leaves the marker when it is imported."""
    return (
        f"open({str(marker)!r}, 'w').close()\ndef generate(*a, **k): ...\nclass EvilConfig: ...\nclass EvilModel: ...\n"
    )


@pytest.fixture
def retriever_folder(tiny_retriever_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_retriever_folder, tmp_path / "retriever"))


@pytest.fixture
def reader_folder(make_tiny_reader, tiny_tokenizer, tmp_path: Path) -> Path:
    folder = tmp_path / "reader"
    make_tiny_reader().save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


def change(path: Path, **entries) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


class Hostile:
    """Leaves the marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("changed", ["config.json", "tokenizer_config.json"])
def test_a_retriever_that_asks_for_code_is_refused(
    retriever_folder, tiny_index_settings, marker, hostile_module, changed
):
    (retriever_folder / "evil.py").write_text(hostile_module)
    change(retriever_folder / changed, auto_map={**AUTO_MAP, "AutoTokenizer": ["evil.EvilModel", None]})
    with pytest.raises(
        UntrustedModel, match=rf"{changed}: the checkpoint asks for code of its own \(auto_map\); expec"
    ):
        Retriever.load(retriever_folder, tiny_index_settings)
    assert not marker.exists()


def test_classes_named_in_the_metadata_are_not_taken(
    retriever_folder, tiny_index_settings, tmp_path, marker, hostile_module
):
    other = Path(shutil.copytree(retriever_folder, tmp_path / "other"))
    (other / "evil.py").write_text(hostile_module)
    change(other / "config.json", auto_map=AUTO_MAP)
    change(retriever_folder / "artifact.metadata", model_name=str(other))
    assert Retriever.load(retriever_folder, tiny_index_settings).dimension == 16
    assert not marker.exists()


def test_an_encoder_that_asks_for_code_is_refused(
    retriever_folder, tiny_index_settings, tmp_path, marker, hostile_module, monkeypatch
):
    (retriever_folder / "evil.py").write_text(hostile_module)
    change(retriever_folder / "config.json", auto_map=AUTO_MAP)
    source = BaseRetrieverSettings(source="someone/encoder", revision="0" * 40, dimension=16)
    for module in (retrievers, encoder):
        monkeypatch.setattr(module, "fetch", lambda source: retriever_folder)
    with pytest.raises(UntrustedModel, match="asks for code"):
        retrievers.create(source, tiny_index_settings, tmp_path / "made", ["gout"], seed=1)
    (retriever_folder / "tokenizer.json").unlink()
    with pytest.raises(UntrustedModel, match="asks for code"):
        encoder.tokenizer_text(source)
    assert not marker.exists()
    assert not (tmp_path / "made").exists()


def test_an_encoder_with_pickled_weights_alone_is_refused(
    retriever_folder, tiny_index_settings, tmp_path, marker, monkeypatch
):
    (retriever_folder / "model.safetensors").unlink()
    (retriever_folder / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(marker)))
    monkeypatch.setattr(retrievers, "fetch", lambda source: retriever_folder)
    source = BaseRetrieverSettings(source="someone/encoder", revision="0" * 40, dimension=16)
    with pytest.raises(MissingResource, match=r"no model\.safetensors"):
        retrievers.create(source, tiny_index_settings, tmp_path / "made", ["gout"], seed=1)
    assert not marker.exists()


def test_an_encoder_nobody_knows_is_refused_and_not_taken_from_the_hub(retriever_folder, tiny_index_settings):
    change(retriever_folder / "config.json", model_type="nobodys")
    with pytest.raises(MissingResource, match="not an encoder that can be loaded: .*nobodys"):
        Retriever.load(retriever_folder, tiny_index_settings)


def test_a_retriever_is_never_looked_for_on_the_hub(retriever_folder, tiny_index_settings, monkeypatch):
    """A relative path of two parts has the form of a hub id."""
    from transformers.utils import hub

    def fetch(repo_id: str, *others, **more) -> None:
        raise AssertionError(f"{repo_id} is looked for on the hub")

    monkeypatch.setattr(hub, "hf_hub_download", fetch)
    monkeypatch.chdir(retriever_folder.parent.parent)
    loaded = Retriever.load(Path(retriever_folder.parent.name) / "retriever", tiny_index_settings)
    assert loaded.dimension == 16


@pytest.mark.parametrize("attack", ["config", "nested", "tokenizer", "generate", "adapter"])
def test_a_hostile_reader_is_refused(reader_folder, marker, hostile_module, attack):
    (reader_folder / "evil.py").write_text(hostile_module)
    if attack == "config":
        change(reader_folder / "config.json", auto_map=AUTO_MAP, model_type="evil")
    elif attack == "nested":
        change(reader_folder / "config.json", text_config={"auto_map": AUTO_MAP})
    elif attack == "tokenizer":
        change(reader_folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.EvilModel", None]})
    elif attack == "generate":
        (reader_folder / "custom_generate").mkdir()
        (reader_folder / "custom_generate" / "generate.py").write_text(hostile_module)
    else:
        (reader_folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    with pytest.raises(
        UntrustedModel, match=r"the checkpoint .*\n  next: take a checkpoint of configuration, tokenizer"
    ):
        reader.load(reader_folder)
    with pytest.raises(UntrustedModel, match="the checkpoint "):
        reader.load_config(reader_folder)
    assert not marker.exists()


def test_a_reader_with_pickled_weights_alone_is_refused(reader_folder, marker):
    (reader_folder / "model.safetensors").unlink()
    (reader_folder / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(marker)))
    with pytest.raises(MissingResource, match=r"the reader cannot be loaded: .*model\.safetensors"):
        reader.load(reader_folder)
    assert not marker.exists()


def test_the_hostile_pickle_would_leave_the_marker(marker):
    pickle.loads(pickle.dumps(Hostile(marker))).close()
    assert marker.exists()
