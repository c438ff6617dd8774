"""Any decoder is read rightly, or is refused before it trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from closeness import assert_close
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted
from jmlr.models.reader_check import check_reader

pytestmark = pytest.mark.numerical

LLAMA_LIKE = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2,
}  # fmt: skip
GPT_LIKE = {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
READERS: dict[str, dict[str, Any]] = {
    "llama": LLAMA_LIKE,
    "mistral": LLAMA_LIKE,
    "qwen2": LLAMA_LIKE,
    "gemma2": {**LLAMA_LIKE, "head_dim": 8, "final_logit_softcapping": 1.0},
    "granite": {**LLAMA_LIKE, "logits_scaling": 4.0},
    "cohere": LLAMA_LIKE,
    "gpt2": {**GPT_LIKE, "bos_token_id": 1, "eos_token_id": 2},
    "gpt_neox": {key: value for key, value in LLAMA_LIKE.items() if key != "num_key_value_heads"},
    "opt": {
        "vocab_size": 60, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "word_embed_proj_dim": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "init_std": 0.2,
    },
}  # fmt: skip
ITEMS = [Prompted((1, 5, 6, 7), (8, 9, 2)), Prompted((1, 5), (11,)), Prompted((1, 12, 13, 14, 15, 16), (17, 2))]


def make(kind: str, **changes: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**{**READERS.get(kind, {}), **changes})).eval()


def own_losses(model: torch.nn.Module) -> torch.Tensor:
    losses = []
    for item in ITEMS:
        ids = torch.tensor([item.prompt_ids + item.answer_ids])
        logits = model(input_ids=ids).logits[0, len(item.prompt_ids) - 1 : -1].float()
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(item.answer_ids)))
    return torch.stack(losses)


@pytest.mark.parametrize("kind", READERS)
def test_decoders_of_many_families_are_read_rightly(one_thread, kind):
    model = make(kind)
    with torch.no_grad():
        assert_close(readers.answer_losses(model, pad(ITEMS, 0)), own_losses(model))
    check_reader(model.train())
    assert model.training


def test_bfloat16_is_not_taken_for_a_fault(one_thread):
    check_reader(make("llama").bfloat16())


def test_logits_that_are_treated_in_an_unknown_way_are_refused(one_thread):
    model = make("llama")
    model.forward = lambda plain=model.forward, **inputs: _scaled(plain(**inputs))
    with pytest.raises(TrainingFailed, match="(?s)LlamaForCausalLM gives its answers losses of .* in place of .*next"):
        check_reader(model)


def _scaled(output: Any) -> Any:
    output.logits = output.logits * 3
    return output


@pytest.mark.parametrize("kind", ["bloom", "mpt"])
def test_readers_whose_positions_cannot_be_given_are_refused(one_thread, kind):
    sizes = {"vocab_size": 60, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.5}
    if kind == "mpt":
        sizes = {"vocab_size": 60, "d_model": 32, "n_layers": 2, "n_heads": 4, "initializer_range": 0.5}
    with pytest.raises(TrainingFailed, match=r"packed (prompts|answers).*\n.*take another reader"):
        check_reader(make(kind, **sizes))
