"""The base reader made ready for training: attention, RoPE scaling, quantised weights, adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from jmlr.errors import MissingResource, TrainingFailed
from jmlr.models import reader as readers
from jmlr.models.adapters import add_lora, hold_trained_in_float32
from jmlr.models.reader_check import check_reader
from jmlr.settings import TrainReaderSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def load_for_training(
    folder: Path, settings: TrainReaderSettings
) -> tuple[PreTrainedModel | PeftModel, PreTrainedTokenizerBase]:
    """The reader in `folder` as `settings` want it trained, and its tokenizer.

    Raises:
        MissingResource: if the reader is not there, or its weights cannot be quantised on this machine.
        TrainingFailed: if its positions cannot be scaled, it is read wrongly, or LoRA names
            layers that it does not have.
    """
    further: dict[str, Any] = {}
    if settings.quantise is not None:
        require_quantisation(settings.quantise)
        further["quantization_config"] = quantisation(settings.quantise, settings.dtype)
    if settings.rope_scaling is not None:
        further["config"] = scaled(readers.load_config(folder), settings.rope_scaling, folder)
    model, tokenizer = readers.load(folder, attention=settings.attention, dtype=settings.dtype, further=further)
    if settings.rope_scaling is not None and not _scales_linearly(model):
        raise _not_scalable(f"the reader {type(model).__name__} takes no linear RoPE scaling", folder)
    check_reader(model)
    ready = hold_trained_in_float32(model) if settings.lora is None else add_lora(model, settings.lora)
    return ready, tokenizer


def scaled(config: PretrainedConfig, factor: float, folder: Path) -> PretrainedConfig:
    """`config` changed so that positions are divided by `factor`; it is saved with the trained reader.

    Args:
        config: of a reader with rotary positions.
        factor: 1 or more; a context `factor` times as long as the base reader's has the positions it knows.
        folder: of the reader, for messages.

    Raises:
        TrainingFailed: if the reader has no rotary positions, or already scales them otherwise.

    Source: position interpolation, arXiv 2306.15595, Eq. 4, as in arXiv 2309.12307.
    """
    if not hasattr(config, "rope_theta") and not hasattr(config, "rope_scaling"):
        raise _not_scalable(f"the reader is a {config.model_type}, which has no rotary positions", folder)
    wanted = {"rope_type": "linear", "factor": float(factor)}
    present = getattr(config, "rope_scaling", None)
    if present not in (None, wanted):
        raise _not_scalable(f"the reader already scales its positions ({present})", folder)
    config.rope_scaling = wanted
    return config


def require_quantisation(kind: Literal["8bit", "4bit"]) -> None:
    """Returns where weights can be quantised.

    Raises:
        MissingResource: without a CUDA device, or without the package bitsandbytes.
    """
    from transformers.utils import is_bitsandbytes_available

    missing = []
    if not torch.cuda.is_available():
        missing.append("torch sees no CUDA device")
    if not is_bitsandbytes_available(check_library_only=True):
        missing.append("the package bitsandbytes is not installed")
    if missing:
        raise MissingResource(
            f"the reader cannot be quantised to {kind}: {' and '.join(missing)}",
            expected="a CUDA device and the package bitsandbytes",
            where="params.yaml, train.reader.quantise",
            next_step="set it to null, or go to a GPU machine and `pip install bitsandbytes`",
        )


def quantisation(kind: Literal["8bit", "4bit"], dtype: str) -> BitsAndBytesConfig:
    """How bitsandbytes is to hold the weights; 4bit is QLoRA's form, computing in `dtype`.

    Source: arXiv 2208.07339 (8bit); arXiv 2305.14314, section 3: NF4, the scales quantised too (4bit).
    """
    from transformers import BitsAndBytesConfig

    if kind == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


def _scales_linearly(model: torch.nn.Module) -> bool:
    """Whether the rotary embeddings took the scaling; a model of transformers may overlook its configuration."""
    return any(getattr(module, "rope_type", None) == "linear" for module in model.modules())


def _not_scalable(found: str, folder: Path) -> TrainingFailed:
    return TrainingFailed(
        found,
        expected="rotary positions that are not scaled yet",
        where=f"{folder} and params.yaml, train.reader.rope_scaling",
        next_step="set train.reader.rope_scaling to null, or take another base reader",
    )
