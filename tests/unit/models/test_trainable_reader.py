"""The reader made ready for training: scaled positions that are saved, adapters, quantising that is refused here."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import pytest
import torch
from closeness import assert_close

from jmlr.errors import MissingResource, TrainingFailed
from jmlr.models import reader as readers
from jmlr.models import trainable_reader
from jmlr.models.adapters import merge_and_save
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted
from jmlr.models.trainable_reader import load_for_training, quantisation, require_quantisation, scaled
from jmlr.settings import LoraSettings, TrainReaderSettings

pytestmark = pytest.mark.numerical

BATCH = pad([Prompted(tuple(range(3, 33)), (9, 10)), Prompted((3, 5, 8), (11,))], pad_token_id=0)
LORA = LoraSettings(rank=2, alpha=4, dropout=0.0, targets=("q_proj", "v_proj"))


def settings(**changes: Any) -> TrainReaderSettings:
    plain = {"learning_rate": 0.1, "lora": None, "attention": "sdpa", "dtype": "float32", "rope_scaling": None}
    return TrainReaderSettings.model_validate({**plain, "quantise": None, **changes})


@pytest.fixture
def folder(make_tiny_reader, tiny_tokenizer, tmp_path):
    make_tiny_reader().save_pretrained(tmp_path / "base")
    tiny_tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def losses(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return readers.answer_losses(model, BATCH)


def test_plain_settings_load_the_plain_reader(folder, make_tiny_reader):
    model, tokenizer = load_for_training(folder, settings())
    assert_close(losses(model), losses(make_tiny_reader()))
    assert model.config.rope_scaling is None
    assert tokenizer.pad_token_id is not None


def test_positions_are_divided_by_the_factor(folder, make_tiny_reader):
    model, _ = load_for_training(folder, settings(rope_scaling=2.0))
    plain = make_tiny_reader()
    positions = torch.arange(40)[None]
    hidden = torch.zeros(1, 40, 32)
    stretched = model.model.rotary_emb(hidden, 2 * positions)
    for found, expected in zip(stretched, plain.model.rotary_emb(hidden, positions), strict=True):
        assert_close(found, expected)
    assert not torch.allclose(losses(model), losses(plain), atol=1e-3)


def test_a_factor_of_one_changes_nothing(folder, make_tiny_reader):
    model, _ = load_for_training(folder, settings(rope_scaling=1.0))
    assert_close(losses(model), losses(make_tiny_reader()))


@pytest.mark.parametrize("lora", [None, LORA])
def test_the_trained_readers_config_carries_the_scaling(folder, tiny_tokenizer, tmp_path, lora):
    model, _ = load_for_training(folder, settings(rope_scaling=4.0, lora=lora))
    expected = losses(model)
    merge_and_save(model, tmp_path / "trained", "float32")
    tiny_tokenizer.save_pretrained(tmp_path / "trained")
    written = json.loads((tmp_path / "trained" / "config.json").read_text(encoding="utf-8"))
    assert written["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}
    evaluated, _ = readers.load(tmp_path / "trained")
    assert_close(losses(evaluated), expected)


def test_a_scaled_reader_may_be_trained_on_with_the_same_factor(folder, tmp_path):
    config = readers.load_config(folder)
    again = scaled(scaled(config, 2.0, folder), 2.0, folder)
    assert again.rope_scaling == {"rope_type": "linear", "factor": 2.0}
    with pytest.raises(TrainingFailed, match=r"already scales its positions .*'factor': 2.0.*\n.*rope_scaling to null"):
        scaled(config, 3.0, folder)


def test_a_reader_without_rotary_positions_is_refused(tmp_path):
    from transformers import GPT2Config

    with pytest.raises(TrainingFailed, match="is a gpt2, which has no rotary positions; expected rotary positions"):
        scaled(GPT2Config(), 2.0, tmp_path)


def test_a_reader_that_overlooks_the_scaling_is_refused(folder, monkeypatch):
    monkeypatch.setattr(trainable_reader, "_scales_linearly", lambda model: False)
    with pytest.raises(TrainingFailed, match="LlamaForCausalLM takes no linear RoPE scaling"):
        load_for_training(folder, settings(rope_scaling=2.0))


def test_a_decoder_whose_config_does_not_name_the_scaling_takes_it(tmp_path, tiny_tokenizer):
    """Mistral's configuration has no such key, but its rotary embedding reads it."""
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, initializer_range=0.2,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    model, _ = load_for_training(tmp_path, settings(rope_scaling=2.0))
    assert not torch.allclose(losses(model), losses(readers.load(tmp_path)[0]), atol=1e-3)


def test_adapters_and_attention_come_with_the_settings(folder):
    model, _ = load_for_training(folder, settings(lora=LORA, attention="shifted_sparse"))
    assert any("lora" in name for name, p in model.named_parameters() if p.requires_grad)
    assert model.config._attn_implementation == "shifted_sparse"


def test_a_missing_reader_is_named(tmp_path):
    for changes in ({}, {"rope_scaling": 2.0}):
        with pytest.raises(MissingResource, match="the reader cannot be loaded.*\n.*dvc repro base"):
            load_for_training(tmp_path / "nowhere", settings(**changes))


def pretend(monkeypatch, cuda: bool, bitsandbytes: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr("transformers.utils.is_bitsandbytes_available", lambda check_library_only: bitsandbytes)


@pytest.mark.parametrize(
    ("cuda", "bitsandbytes", "found"),
    [
        (False, True, "torch sees no CUDA device"),
        (True, False, "the package bitsandbytes is not installed"),
        (False, False, "torch sees no CUDA device and the package bitsandbytes is not installed"),
    ],
)
def test_quantising_is_refused_before_anything_is_loaded(folder, monkeypatch, cuda, bitsandbytes, found):
    pretend(monkeypatch, cuda, bitsandbytes)
    monkeypatch.setattr(readers, "load", lambda *_, **__: pytest.fail("the reader was loaded"))
    message = (
        rf"params\.yaml, train\.reader\.quantise: the reader cannot be quantised to 4bit: {found}; "
        r"expected a CUDA device and the package bitsandbytes\.\n  next: set it to null"
    )
    with pytest.raises(MissingResource, match=message):
        load_for_training(folder, settings(quantise="4bit", lora=LORA))


def test_where_both_are_there_quantising_is_not_refused(monkeypatch):
    pretend(monkeypatch, cuda=True, bitsandbytes=True)
    require_quantisation("8bit")


def test_the_quantised_form_reaches_the_loader(folder, monkeypatch):
    pretend(monkeypatch, cuda=True, bitsandbytes=True)
    asked = {}

    def load(name, **options):
        asked.update(options["further"])
        raise RuntimeError("asked")

    monkeypatch.setattr(readers, "load", load)
    with pytest.raises(RuntimeError, match="asked"):
        load_for_training(folder, settings(quantise="8bit", lora=LORA, rope_scaling=2.0))
    assert asked["quantization_config"].load_in_8bit
    assert asked["config"].rope_scaling["factor"] == 2.0


def test_the_two_forms(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "0.45.0")
    four = quantisation("4bit", "bfloat16")
    assert (four.load_in_4bit, four.bnb_4bit_quant_type, four.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert four.bnb_4bit_compute_dtype == torch.bfloat16
    assert quantisation("8bit", "bfloat16").load_in_8bit
