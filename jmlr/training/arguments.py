"""What transformers.Trainer is told, from the settings of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from jmlr.settings import TrainSettings
from jmlr.training import processes


def training_arguments(settings: TrainSettings, seed: int, checkpoints: Path) -> TrainingArguments:
    """Arguments of this process's Trainer.

    Args:
        settings: the block `train`.
        seed: of every random choice.
        checkpoints: folder that checkpoints are written below.
    """
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=-(-settings.questions_per_step // processes.world_size()),
        max_steps=settings.steps,
        learning_rate=settings.reader.learning_rate,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="linear",
        max_grad_norm=settings.max_gradient_norm,
        logging_steps=1,
        save_steps=settings.save_every_steps,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        seed=seed,
        data_seed=seed,
        use_cpu=not on_gpu,
        ddp_backend="gloo" if processes.world_size() > 1 and not on_gpu else None,
        bf16=settings.reader.dtype == "bfloat16" and settings.deepspeed is None,
        deepspeed=_deepspeed(settings),
    )
    # One process drives one device; several devices without a launcher would be DataParallel, which splits tensors.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _deepspeed(settings: TrainSettings) -> dict[str, Any] | None:
    """DeepSpeed's block, with bfloat16 by autocast: its own `bf16` casts all weights, the retriever's too.

    So what trains, and what is told and added up of it, is float32, as without DeepSpeed; frozen weights stay as they
    are.
    """
    if settings.deepspeed is None:
        return None
    block = {name: value for name, value in settings.deepspeed.items() if name != "bf16"}
    if settings.reader.dtype == "bfloat16":
        block["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
    return block
