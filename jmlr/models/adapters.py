"""Low-rank adapters on the reader, with its embeddings and norms trained besides."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from jmlr.config_train import LoraSettings
from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

TRAINED_BESIDES = ("embed", "norm")
"""A parameter with one of these in its name is trained in full."""


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """The reader with adapters; `model` itself is changed. Adapters, embeddings and norms are trainable, no more.

    Args:
        model: a causal language model.
        settings: rank, scale, dropout and the linear layers that get an adapter.

    Raises:
        TrainingFailed: if the reader has no layer of a target's name.

    Source: arXiv 2309.12307, section 3.3 (LoRA+), as in arXiv 2402.17887.
    """
    from peft import LoraConfig, get_peft_model

    layers = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    if unknown := sorted(set(settings.targets) - layers):
        raise TrainingFailed(
            f"the reader has no layer named {', '.join(unknown)}",
            expected="names of its linear layers, for example q_proj",
            where="params.yaml, train.reader.lora.targets",
            next_step="name layers of this reader",
        )
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
    )
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if any(part in name for part in TRAINED_BESIDES):
            parameter.requires_grad_(True)
    return adapted


def merge_and_save(model: PreTrainedModel | PeftModel, folder: Path) -> None:
    """Writes one plain reader into `folder`, safetensors, which `jmlr.models.reader.load` reads.

    Args:
        model: with adapters or without; adapters are merged into its weights for good, so it is not to be trained on.
            What was trained on quantised weights is merged into the base reader's own, read again from its folder.
        folder: made if missing; the tokenizer is saved apart.
    """
    if not hasattr(model, "merge_and_unload"):
        model.save_pretrained(folder, safe_serialization=True)
        return
    if getattr(model.get_base_model(), "is_quantized", False):
        model = _on_plain_weights(model)
    model.merge_and_unload().save_pretrained(folder, safe_serialization=True)


def _on_plain_weights(model: PeftModel) -> PeftModel:
    """All that `model` trained, on the base weights before they were quantised: merging would round them again."""
    from peft import get_peft_model

    trained = model.get_base_model()
    config = copy.deepcopy(trained.config)
    source, dtype = config._name_or_path, str(trained.dtype).removeprefix("torch.")
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
