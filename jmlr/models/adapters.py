"""Low-rank adapters on the reader, with its embeddings and norms trained besides."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers
from jmlr.models.parts import linear_layers, part_of_each
from jmlr.settings import LoraSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

TRAINED_BESIDES = ("embeddings", "norms")
"""Parts of a reader that are trained in full."""


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """The reader with adapters; `model` itself is changed. Adapters, embeddings and norms are trainable, no more.

    Args:
        model: a causal language model.
        settings: rank, scale, dropout and the linear layers that get an adapter.

    Raises:
        TrainingFailed: if the reader has no linear layer of a target's name.

    Source: arXiv 2309.12307, section 3.3 (LoRA+), as in arXiv 2402.17887.
    """
    from peft import LoraConfig, get_peft_model

    layers = linear_layers(model)
    if unknown := sorted(set(settings.targets) - set(layers)):
        raise TrainingFailed(
            f"the reader has no linear layer named {', '.join(unknown)}",
            expected=f"some of {', '.join(layers)}",
            where="params.yaml, train.reader.lora.targets",
            next_step=f"name layers of this reader, for example train.reader.lora.targets: [{', '.join(layers[:2])}]",
        )
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
    )
    adapted = get_peft_model(model, config)
    parts = part_of_each(adapted)
    for name, parameter in adapted.named_parameters():
        if parts[name] in TRAINED_BESIDES:
            parameter.requires_grad_(True)
    return hold_trained_in_float32(adapted)


def hold_trained_in_float32(model: PreTrainedModel | PeftModel) -> PreTrainedModel | PeftModel:
    """`model` with all that trains in float32; what is frozen keeps its dtype, and autocast computes in that.

    In bfloat16 a step below a 256th of a weight rounds to nothing: norms, which are near 1, would never move.

    Source: arXiv 1710.03740, section 3.1 (a master copy of the weights; here the weights are it).
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def merge_and_save(model: PreTrainedModel | PeftModel, folder: Path, dtype: str) -> None:
    """Writes one plain reader into `folder`, safetensors, which `jmlr.models.reader.load` reads.

    Args:
        model: with adapters or without; adapters are merged into its weights for good, so it is not to be trained on.
            What was trained on quantised weights is merged into the base reader's own, read again from its folder.
        folder: made if missing; the tokenizer is saved apart.
        dtype: of all saved weights, float32 or bfloat16; what was trained is float32 in `model`.
    """
    if hasattr(model, "merge_and_unload"):
        if getattr(model.get_base_model(), "is_quantized", False):
            model = _on_plain_weights(model, dtype)
        model = model.merge_and_unload()
    model.to(getattr(torch, dtype)).save_pretrained(folder, safe_serialization=True)


def _on_plain_weights(model: PeftModel, dtype: str) -> PeftModel:
    """All that `model` trained, on the base weights before they were quantised: merging would round them again."""
    from peft import get_peft_model

    trained = model.get_base_model()
    config = copy.deepcopy(trained.config)
    source = config._name_or_path
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain, _ = readers.load(source, dtype=dtype, further={"config": config})
    adapted = get_peft_model(plain, copy.deepcopy(model.peft_config["default"]))
    state = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if unknown := adapted.load_state_dict(state, strict=False).unexpected_keys:
        raise TrainingFailed(
            f"the base reader has no {', '.join(unknown)}",
            expected="the reader that was trained, before it was quantised",
            where=source,
            next_step="dvc repro base",
        )
    return adapted
