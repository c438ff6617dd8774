"""One arm of training through transformers.Trainer, which also carries it onto many devices with DeepSpeed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from jmlr.config import TrainSettings
from jmlr.errors import TrainingFailed
from jmlr.training.joint import JointModel, StepLoss
from jmlr.training.movement import WeightChange, gradient_norms
from jmlr.training.param_groups import group_parameters
from jmlr.training.pools import Pools
from jmlr.training.sink import MetricSink

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class ArmRun:
    """How one arm is run: its settings, seed, where checkpoints lie, and where metrics go."""

    settings: TrainSettings
    seed: int
    checkpoints: Path
    sink: MetricSink


class _Rows(Dataset[int]):
    """Question numbers; the model holds the questions."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


class JointTrainer(Trainer):
    """transformers.Trainer for JointModel: its parameter groups, seeded draws, metrics and safetensors checkpoints."""

    def __init__(self, model: JointModel, run: ArmRun, questions: int, callbacks: list[TrainerCallback]) -> None:
        self._run = run
        self._metrics: dict[str, float] = {}
        super().__init__(
            model=model,
            args=_arguments(run, questions),
            train_dataset=_Rows(questions),
            data_collator=lambda rows: {"rows": torch.tensor(rows)},
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        self._change = WeightChange(model)

    def create_optimizer(self) -> torch.optim.Optimizer:
        """AdamW over the parameter groups of both components."""
        optimizer = getattr(self, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            groups = group_parameters(self.model, self._run.settings)
            optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, fused=True)
            self.optimizer = optimizer
        return optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The step's total loss; what the draws are seeded with depends on seed, step and process alone."""
        draw_seed = (self._run.seed * 1_000_003 + self.state.global_step) * 1024 + self.args.process_index
        step: StepLoss = model(rows=inputs["rows"], draw_seed=draw_seed)
        self._metrics = _as_metrics(step)
        return (step.total, step) if return_outputs else step.total

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward; then the gradients are measured, before they are clipped."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._metrics |= gradient_norms(self.model)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Hands the step's metrics to the sink."""
        super().log(logs, start_time)
        if "loss" in logs and self.is_world_process_zero():
            rates = {f"{group['component']}_learning_rate": group["lr"] for group in self.optimizer.param_groups}
            change = self._change.measure(self.model)
            self._run.sink.log(self.state.global_step, {**self._metrics, **change, **rates})

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        """Weights as safetensors; tied weights are kept once, which Trainer's own way refuses."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model, str(folder / WEIGHTS_FILE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_model(model or self.model, str(Path(resume_from_checkpoint) / WEIGHTS_FILE))


class RefreshPools(TrainerCallback):
    """Encodes the passages anew every so many steps, so that pools follow the retriever; counts the seconds."""

    def __init__(self, model: JointModel, pools: Pools, every_steps: int) -> None:
        self._model, self._pools, self._every_steps = model, pools, every_steps
        self.seconds = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """A resumed joint run stands right after a refresh, which is made again from the same weights."""
        if state.global_step > 0:
            self._refresh()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Refreshes every `every_steps` steps."""
        if state.global_step % self._every_steps == 0 and state.global_step < state.max_steps:
            self._refresh()

    def _refresh(self) -> None:
        """Does nothing where the retriever stands still."""
        if self._model.retriever is None or self._model.arm != "jmlr":
            return
        start = time.monotonic()
        self._pools.refresh(self._model.retriever)
        self.seconds += time.monotonic() - start


class ProgressBar(TrainerCallback):
    """One bar an arm, with the reader's loss."""

    def __init__(self, arm: str) -> None:
        self._arm, self._bar = arm, None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Opens the bar."""
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc=f"training {self._arm}", unit="step")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Moves the bar."""
        logs = others.get("logs") or {}
        if self._bar is not None and "loss" in logs:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
            self._bar.update(state.global_step - self._bar.n)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()


def train_arm(model: JointModel, pools: Pools, questions: int, run: ArmRun) -> dict[str, float]:
    """Trains `model` in place, going on from the last checkpoint where there is one; checkpoints are removed after.

    Args:
        model: one arm.
        pools: its pools, refreshed as the retriever moves.
        questions: number of training questions.
        run: how it is run.

    Returns:
        seconds (of this process), refresh_seconds, and steps.

    Raises:
        TrainingFailed: if the joint arm's retriever did not move.
    """
    refresh = RefreshPools(model, pools, run.settings.refresh_every_steps)
    trainer = JointTrainer(model, run, questions, [refresh, ProgressBar(model.arm)])
    start = time.monotonic()
    last = get_last_checkpoint(str(run.checkpoints)) if run.checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    seconds = time.monotonic() - start
    moved = trainer._change.measure(model)
    if model.arm == "jmlr" and not moved.get("retriever_weight_change"):
        raise TrainingFailed(
            "the retriever did not move in a joint run",
            expected="a weight change above 0",
            where="arm jmlr",
            next_step="raise train.retriever.learning_rate",
        )
    if trainer.is_world_process_zero():
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    return {"seconds": seconds, "refresh_seconds": refresh.seconds, "steps": trainer.state.global_step, **moved}


def _as_metrics(step: StepLoss) -> dict[str, float]:
    named = {
        "reader_loss": step.reader,
        "retriever_loss": step.retriever,
        "sampled_reader_loss": step.sampled_reader,
        "distinct_top_1": step.distinct_top_1,
        "score_spread": step.score_spread,
    }
    return {name: float(value) for name, value in named.items() if value is not None}


def _arguments(run: ArmRun, questions: int) -> TrainingArguments:
    settings = run.settings
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        per_device_train_batch_size=settings.questions_per_step,
        max_steps=settings.steps,
        learning_rate=settings.reader.learning_rate,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="linear",
        max_grad_norm=settings.max_gradient_norm,
        logging_steps=1,
        save_steps=settings.save_every_steps,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        dataloader_drop_last=questions >= settings.questions_per_step,
        dataloader_pin_memory=on_gpu,
        seed=run.seed,
        data_seed=run.seed,
        use_cpu=not on_gpu,
        bf16=settings.reader.dtype == "bfloat16",
        deepspeed=settings.deepspeed,
    )
