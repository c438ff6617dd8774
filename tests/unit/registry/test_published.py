"""The published form: loaded by transformers and colbert-ai alone, and taken back as base models."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from jmlr import fingerprint
from jmlr.commands.registry import export as published
from jmlr.commands.registry import import_pair
from jmlr.errors import DataError, FingerprintMismatch, MissingResource, RegistryError, UntrustedModel
from jmlr.models import encoder
from jmlr.models import reader as readers
from jmlr.models.retriever import Retriever
from jmlr.registry.version.contents import Contents
from jmlr.settings import BaseRetrieverSettings, Settings, params
from jmlr.stages import base, layout

TEXTS = ["gout joint swelling", "fever cough lung infection"]


@pytest.fixture
def opened(trained_with_lora: Contents, tmp_path: Path) -> Contents:
    (tmp_path / "model_card.md").write_text("# Model card of the test\n")
    return trained_with_lora


@pytest.fixture
def exported(opened: Contents, tmp_path: Path) -> Path:
    published.write(opened, tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def settings() -> Settings:
    return params.load()


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([[5, 6, 7, 8, 9]])).logits


@pytest.fixture
def ours(opened: Contents, settings: Settings) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Query embeddings and logits as this project computes them of the pair."""
    with torch.inference_mode():
        queries = Retriever.load(opened.pair.retriever, settings.index).encode_queries(TEXTS)
    return queries, logits(readers.load(opened.pair.reader)[0].eval())


def test_the_libraries_alone_load_it_as_its_readme_says_and_compute_the_same(
    exported: Path, ours: tuple[torch.Tensor, torch.Tensor]
) -> None:
    readme = (exported / "README.md").read_text()
    lines = readme.split("## How to load it")[1].splitlines()
    loaded: dict[str, Any] = {"FOLDER": str(exported)}
    exec("\n".join(line.strip() for line in lines if line.startswith("    ")), loaded)
    with torch.inference_mode():
        queries = loaded["retriever"].queryFromText(TEXTS)
    torch.testing.assert_close(queries.float(), ours[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits(loaded["reader"].eval()), ours[1])
    assert loaded["tokenizer"]("gout")["input_ids"]
    assert not list(exported.glob("adapter*"))
    assert readme.startswith("---\nlibrary_name: transformers\n")
    assert "# Model card of the test" in readme
    assert (exported / "params.yaml").read_text() == Path("params.yaml").read_text()


def test_peft_takes_the_merged_reader_as_any_other(exported: Path, ours: tuple[torch.Tensor, torch.Tensor]) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    reader = AutoModelForCausalLM.from_pretrained(exported)
    adapted = get_peft_model(reader, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])).eval()
    torch.testing.assert_close(logits(adapted), ours[1])


def test_what_is_imported_and_made_the_base_computes_the_same(
    exported: Path, settings: Settings, ours: tuple[torch.Tensor, torch.Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import_pair.run(settings, exported)
    assert (
        "dvc exp run -S base.retriever.dimension=16 -S base.retriever.source=./imported/retriever -S"
        in capsys.readouterr().out
    )
    raw = settings.model_dump(mode="json", by_alias=True)
    for setting in import_pair.base_settings():
        key, value = setting.split("=")
        _, model, name = key.split(".")
        raw["base"][model][name] = value
    base.run(params.parse(raw))
    with torch.inference_mode():
        queries = Retriever.load(layout.BASE_RETRIEVER, settings.index).encode_queries(TEXTS)
    torch.testing.assert_close(queries, ours[0])
    torch.testing.assert_close(logits(readers.load(layout.BASE_READER)[0].eval()), ours[1])


def test_a_colbert_checkpoint_is_imported_before_anything_is_ingested(exported: Path, settings: Settings) -> None:
    shutil.rmtree(layout.INGEST)
    import_pair.run(settings, exported)
    assert (layout.IMPORTED / "retriever" / "model.safetensors").exists()


def test_only_what_was_loaded_is_imported(exported: Path, settings: Settings) -> None:
    (exported / "ir" / "optimizer.pt").write_bytes(b"not a model")
    (exported / "install.py").write_text("print('no')")
    import_pair.run(settings, exported)
    names = {path.name for path in layout.IMPORTED.rglob("*") if path.is_file()}
    assert {"model.safetensors", "artifact.metadata", "config.json"} <= names
    assert not names & {"optimizer.pt", "install.py", "README.md"}


@pytest.mark.parametrize("part", ["", "ir"])
def test_a_checkpoint_that_asks_for_code_is_not_imported(exported: Path, settings: Settings, part: str) -> None:
    file = exported / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "auto_map": {"AutoModel": "evil.Evil"}}))
    with pytest.raises(UntrustedModel, match="asks for code of its own"):
        import_pair.run(settings, exported)
    assert not layout.IMPORTED.exists()


@pytest.mark.parametrize("part", ["", "ir"])
def test_pickled_weights_are_not_imported(exported: Path, settings: Settings, part: str, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return open, (str(tmp_path / "executed"), "w")

    (exported / part / "model.safetensors").unlink()
    (exported / part / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(MissingResource, match=r"has no safetensors; expected .*pickled ones .* are not read"):
        import_pair.run(settings, exported)
    assert not (tmp_path / "executed").exists()
    assert not layout.IMPORTED.exists()


@pytest.mark.parametrize(("part", "told"), [("", "no reader"), ("ir", "no retriever")])
def test_a_folder_without_a_model_is_told(exported: Path, settings: Settings, part: str, told: str) -> None:
    (exported / part / "config.json").unlink()
    with pytest.raises(MissingResource, match=f"{told}; expected a reader's folder with the ColBERT checkpoint in ir/"):
        import_pair.run(settings, exported)


def test_a_folder_with_something_in_it_is_never_written_to(opened: Contents, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RegistryError, match=r"mine: there is something already; expected a new folder"):
        published.write(opened, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_folder_source_is_pinned_by_its_hash(tiny_retriever_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_retriever_folder, tmp_path / "retriever"))
    source = BaseRetrieverSettings(source=str(folder), revision=fingerprint.of_folder(folder), dimension=16)
    assert encoder.fetch(source) == folder
    (folder / "config.json").write_text("{}")
    with pytest.raises(FingerprintMismatch, match=r"its files have the hash \w+; expected \w+, as params\.yaml says"):
        encoder.fetch(source)
    shutil.rmtree(folder)
    with pytest.raises(MissingResource, match=r"(?s)no such folder.*jmlr import FOLDER"):
        encoder.fetch(source)


def test_what_lies_where_imports_go_is_not_overwritten(exported: Path, settings: Settings) -> None:
    shutil.copytree(exported, layout.IMPORTED)
    for folder in (layout.IMPORTED, layout.IMPORTED.resolve(), layout.IMPORTED / "ir" / ".."):
        with pytest.raises(DataError, match="(?s)it would be overwritten.*move it elsewhere"):
            import_pair.run(settings, folder)
    assert (layout.IMPORTED / "README.md").exists()
