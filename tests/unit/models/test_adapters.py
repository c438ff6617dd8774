"""LoRA: what is trainable, that it learns, and that the merged reader is the same reader."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_close
from safetensors.torch import load_file

from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers
from jmlr.models.adapters import add_lora, merge_and_save
from jmlr.models.packing import pad
from jmlr.models.parts import part_of_each
from jmlr.models.prompt import Prompted
from jmlr.settings import LoraSettings
from jmlr.training.movement import WeightChange, require_movement

pytestmark = pytest.mark.numerical

SETTINGS = LoraSettings(rank=2, alpha=4, dropout=0.0, targets=("q_proj", "v_proj"))
BATCH = pad([Prompted((1, 5, 6, 7), (8, 9)), Prompted((1, 5), (9, 2))], pad_token_id=0)


@pytest.fixture
def adapted(make_tiny_reader):
    return add_lora(make_tiny_reader(), SETTINGS)


def step(model: torch.nn.Module) -> float:
    """One large step on the trainable parameters; returns the loss before it."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    loss = readers.answer_token_losses(model, BATCH)[0].mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_adapters_embeddings_and_norms_are_trainable_and_nothing_else(adapted):
    trainable = {name.removeprefix("base_model.model.") for name, p in adapted.named_parameters() if p.requires_grad}
    expected = {"model.embed_tokens.weight", "model.norm.weight"}
    for layer in range(2):
        prefix = f"model.layers.{layer}"
        expected |= {f"{prefix}.input_layernorm.weight", f"{prefix}.post_attention_layernorm.weight"}
        expected |= {f"{prefix}.self_attn.{t}_proj.lora_{m}.default.weight" for t in "qv" for m in "AB"}
    assert trainable == expected


def test_a_fresh_adapter_changes_no_loss_and_a_step_does(adapted, make_tiny_reader):
    assert_close(readers.answer_losses(adapted, BATCH), readers.answer_losses(make_tiny_reader(), BATCH))
    before = step(adapted)
    with torch.no_grad():
        assert readers.answer_token_losses(adapted, BATCH)[0].mean() < before - 1e-3


def test_a_step_leaves_the_frozen_weights_alone(adapted, make_tiny_reader):
    step(adapted)
    frozen = make_tiny_reader().model.layers[0].self_attn.q_proj.weight
    layer = adapted.get_base_model().model.layers[0].self_attn.q_proj
    assert torch.equal(layer.base_layer.weight, frozen)
    assert layer.lora_B["default"].weight.abs().sum() > 0


def test_the_merged_reader_answers_as_the_adapted_one(adapted, tmp_path, tiny_tokenizer):
    step(adapted)
    with torch.no_grad():
        logits, losses = adapted(input_ids=BATCH.input_ids).logits, readers.answer_losses(adapted, BATCH)
    merge_and_save(adapted, tmp_path / "reader", "float32")
    tiny_tokenizer.save_pretrained(tmp_path / "reader")
    loaded, tokenizer = readers.load(tmp_path / "reader")
    with torch.no_grad():
        assert_close(loaded(input_ids=BATCH.input_ids).logits, logits)
        assert_close(readers.answer_losses(loaded, BATCH), losses)
    assert not any("lora" in name for name, _ in loaded.named_parameters())
    assert tokenizer.get_vocab() == tiny_tokenizer.get_vocab()


def test_embeddings_and_norms_move_and_are_saved(adapted, make_tiny_reader, tmp_path, tiny_tokenizer):
    start = make_tiny_reader()
    step(adapted)
    trained = adapted.get_base_model()
    merge_and_save(adapted, tmp_path, "float32")
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, _ = readers.load(tmp_path)
    names = [name for name, _ in start.named_parameters() if "embed" in name or "norm" in name]
    assert len(names) == 6
    for name in names:
        assert not torch.equal(loaded.get_parameter(name), start.get_parameter(name)), name
        assert torch.equal(loaded.get_parameter(name), trained.get_parameter(name)), name
    assert torch.equal(loaded.lm_head.weight, start.lm_head.weight)


def test_what_was_trained_on_quantised_weights_is_merged_into_the_plain_ones(
    make_tiny_reader, tmp_path, tiny_tokenizer
):
    """Quantising is played by coarse rounding: bitsandbytes needs a CUDA device."""
    make_tiny_reader().save_pretrained(tmp_path / "base")
    tiny_tokenizer.save_pretrained(tmp_path / "base")
    torch.manual_seed(1)
    plain = add_lora(readers.load(tmp_path / "base")[0], SETTINGS)
    rounded = add_lora(readers.load(tmp_path / "base")[0], SETTINGS)
    for name, parameter in rounded.named_parameters():
        if "base_layer" in name:
            parameter.data.copy_((parameter * 4).round() / 4)
    rounded.get_base_model().is_quantized = True
    step(rounded)
    state = {name: p for name, p in rounded.named_parameters() if p.requires_grad}
    plain.load_state_dict(state, strict=False)
    with torch.no_grad():
        expected, coarse = readers.answer_losses(plain, BATCH), readers.answer_losses(rounded, BATCH)
    merge_and_save(rounded, tmp_path / "trained", "float32")
    tiny_tokenizer.save_pretrained(tmp_path / "trained")
    loaded, _ = readers.load(tmp_path / "trained")
    with torch.no_grad():
        assert_close(readers.answer_losses(loaded, BATCH), expected)
    assert not torch.allclose(expected, coarse, atol=1e-3)
    assert "quantization_config" not in (tmp_path / "trained" / "config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("tied", [True, False])
def test_a_reader_without_adapters_is_saved_as_it_is(make_tiny_reader, tmp_path, tiny_tokenizer, tied):
    reader = make_tiny_reader(tie_word_embeddings=tied)
    merge_and_save(reader, tmp_path, "float32")
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, _ = readers.load(tmp_path)
    assert all(torch.equal(p, loaded.get_parameter(name)) for name, p in reader.named_parameters())


def test_tied_embeddings_stay_tied_through_adapters(make_tiny_reader, tmp_path, tiny_tokenizer):
    adapted = add_lora(make_tiny_reader(tie_word_embeddings=True), SETTINGS)
    step(adapted)
    with torch.no_grad():
        losses = readers.answer_losses(adapted, BATCH)
    merge_and_save(adapted, tmp_path, "float32")
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, _ = readers.load(tmp_path)
    assert_close(readers.answer_losses(loaded, BATCH), losses)


@pytest.fixture
def gpt2():
    """Of another family: no name in it says `embed` or `norm`; its output layer is tied."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=32, n_embd=16, n_layer=1, n_head=2)).eval()


def test_embeddings_and_norms_train_whatever_a_family_calls_them(gpt2, tmp_path, tiny_tokenizer):
    adapted = add_lora(gpt2, SETTINGS.model_copy(update={"targets": ("c_attn",)}))
    trainable = {name.removeprefix("base_model.model.") for name, p in adapted.named_parameters() if p.requires_grad}
    norms = {f"transformer.{name}.{what}" for name in ("h.0.ln_1", "h.0.ln_2", "ln_f") for what in ("weight", "bias")}
    adapters = {f"transformer.h.0.attn.c_attn.lora_{m}.default.weight" for m in "AB"}
    assert trainable == {"transformer.wte.weight", "transformer.wpe.weight", *norms, *adapters}
    step(adapted)
    with torch.no_grad():
        losses = readers.answer_losses(adapted, BATCH)
    merge_and_save(adapted, tmp_path, "float32")
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, _ = readers.load(tmp_path)
    assert_close(readers.answer_losses(loaded, BATCH), losses)
    assert loaded.lm_head.weight is loaded.transformer.wte.weight


def test_in_bfloat16_everything_that_trains_moves(make_tiny_reader, tmp_path, tiny_tokenizer):
    """At the paper's rate, at which bfloat16 weights near 1 stand still; frozen weights stay in bfloat16."""
    reader = make_tiny_reader().to(torch.bfloat16)
    pair = torch.nn.ModuleDict({"reader": add_lora(reader, SETTINGS)})
    held = {(part_of_each(pair)[name], p.requires_grad, p.dtype) for name, p in pair.named_parameters()}
    trained = {(part, True, torch.float32) for part in ("adapters", "embeddings", "norms")}
    assert held == trained | {("layers", False, torch.bfloat16)}
    optimizer = torch.optim.AdamW([p for p in pair.parameters() if p.requires_grad], lr=2e-5, weight_decay=0.0)
    change, start = WeightChange(pair), {name: p.detach().clone() for name, p in pair.named_parameters()}
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            readers.answer_token_losses(pair["reader"], BATCH)[0].mean().backward()
        optimizer.step()
    require_movement(change.measure(pair), ["reader"])
    for name, parameter in pair.named_parameters():
        if parameter.requires_grad and "embed_tokens" not in name:  # tokens that were not read have no gradient
            assert (parameter != start[name]).float().mean() > 0.9, name
    merge_and_save(pair["reader"], tmp_path, "bfloat16")
    assert {value.dtype for value in load_file(tmp_path / "model.safetensors").values()} == {torch.bfloat16}


def test_an_unknown_target_is_named_with_those_that_there_are(make_tiny_reader):
    known = "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    # `self_attn` is there but no linear layer; `lm_head` is the output layer.
    targets = ("q_proj", "c_attn", "self_attn", "lm_head")
    with pytest.raises(
        TrainingFailed, match=f"no linear layer named c_attn, lm_head, self_attn; expected some of {known}"
    ):
        add_lora(make_tiny_reader(), SETTINGS.model_copy(update={"targets": targets}))
