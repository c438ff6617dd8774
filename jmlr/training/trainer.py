"""One arm of training through transformers.Trainer, which also carries it onto many devices with DeepSpeed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_file, save_model
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from jmlr.errors import TrainingFailed
from jmlr.seeds import seed_of
from jmlr.settings import TrainSettings
from jmlr.training import checkpoint, processes
from jmlr.training.arguments import training_arguments
from jmlr.training.checkpoint import Checkpoint
from jmlr.training.collapse import CollapseGuard
from jmlr.training.cost.budget import CostMeter
from jmlr.training.drift import Drift
from jmlr.training.joint import JointModel, StepLoss
from jmlr.training.movement import WeightChange, gradient_norms, require_movement
from jmlr.training.param_groups import check_groups, group_parameters
from jmlr.training.pools import Pools
from jmlr.training.progress import ProgressBar
from jmlr.training.refresh import RefreshPools
from jmlr.training.rows import Rows, StepRows
from jmlr.training.shares import Shares
from jmlr.training.sink import MetricSink
from jmlr.training.step_callback import StepCallback

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class ArmRun:
    """How one arm is run: its settings, seed, where checkpoints lie, where metrics go, and what counts its cost."""

    settings: TrainSettings
    seed: int
    checkpoints: Path
    sink: MetricSink
    cost: CostMeter | None = None


class JointTrainer(Trainer):
    """transformers.Trainer for JointModel: its parameter groups, seeded draws, metrics and exact checkpoints.

    Args:
        model: one arm.
        pools: its pools.
        questions: number of training questions.
        run: how it is run.
        callbacks: those that are StepCallbacks give metrics and keep a memory.
    """

    def __init__(
        self, model: JointModel, pools: Pools, questions: int, run: ArmRun, callbacks: Sequence[TrainerCallback]
    ) -> None:
        self._run, self._pools = run, pools
        self._metrics: dict[str, float] = {}
        self._step_callbacks = [callback for callback in callbacks if isinstance(callback, StepCallback)]
        super().__init__(
            model=model,
            args=training_arguments(run.settings, run.seed, run.checkpoints),
            train_dataset=Rows(questions),
            data_collator=lambda rows: {"rows": torch.tensor(rows)},
            callbacks=list(callbacks),
        )
        self.remove_callback(PrinterCallback)
        self.change = WeightChange(model)
        self._shares = Shares(model)

    def get_train_dataloader(self) -> DataLoader[int]:
        """All steps of this process as one pass, so that a resumed run skips those that are done."""
        settings, share = self._run.settings, (processes.rank(), processes.world_size())
        count = len(self.train_dataset)
        rows = StepRows(count, settings.questions_per_step, settings.steps, seed=self._run.seed, share=share)
        # A generator of its own: the loader draws a number, and must not take it from dropout's.
        return DataLoader(
            self.train_dataset, batch_sampler=rows, collate_fn=self.data_collator, generator=torch.Generator()
        )

    def create_optimizer(self) -> torch.optim.Optimizer:
        """AdamW over the parameter groups of both components."""
        optimizer = getattr(self, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            groups = group_parameters(self.model, self._run.settings)
            check_groups(self.model, groups)
            optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, fused=True)
            self.optimizer = optimizer
        return optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The step's total loss; what the draws are seeded with depends on seed, step and process alone."""
        draw_seed = seed_of(self._run.seed, "passages of a step", self.state.global_step, self.args.process_index)
        rows = inputs["rows"]
        self._shares.of_step(rows)
        step: StepLoss = model(rows=rows, draw_seed=draw_seed)
        self._metrics = self._shares.mean(_as_metrics(step))
        if self.model.arm == "jmlr":
            self._metrics["distinct_top_1"] = self._pools.share(rows)
        return (step.total, step) if return_outputs else step.total

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward; then the gradients are measured, before they are clipped."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.is_deepspeed_enabled:
            # DeepSpeed steps within backward, and keeps the norm of both components together.
            self._metrics["gradient_norm"] = float(self.deepspeed.get_global_grad_norm() or 0.0)
        else:
            self._metrics |= gradient_norms(self.model)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Hands the step's metrics to the sink, then to the callbacks.

        Raises:
            TrainingFailed: if something that trains has not moved although its rate was above 0.
        """
        if "loss" not in logs:
            super().log(logs, start_time)
            return
        with whole_weights(self.model):
            step, change = self.state.global_step, self.change.measure(self.model)
        for callback in self._step_callbacks:
            self._metrics |= callback.take_metrics()
        self._metrics |= change
        self._metrics |= {f"{group['component']}_learning_rate": group["lr"] for group in self.optimizer.param_groups}
        if self.is_world_process_zero():
            self._run.sink.log(step, self._metrics)
        # The first step of a warm-up has rate 0.
        if step > max(1, self._run.settings.warmup_steps):
            require_movement(change, self.model.training_components)
        super().log({**logs, **self._metrics}, start_time)
        # The sink has it all; kept here, it would only make checkpoints grow.
        self.state.log_history.clear()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Trainer's checkpoint, the pools beside it, and then the word that it is whole."""
        super()._save_checkpoint(model, trial)
        folder, step = self._run.checkpoints, self.state.global_step
        processes.wait_for_all()
        if self.is_world_process_zero():
            memories = {type(callback).__name__: callback.remember() for callback in self._step_callbacks}
            checkpoint.save_pools(folder, step, self._pools)
            whole = Checkpoint(step, processes.world_size(), self._pools.generation, memories)
            checkpoint.complete(folder, whole)
        processes.wait_for_all()

    def go_on(self) -> None:
        """Trains to the end, from the last whole checkpoint where there is one."""
        folder = self._run.checkpoints
        found = checkpoint.last(folder)
        processes.wait_for_all()
        if processes.is_first():
            checkpoint.clean(folder, found)
        if found is not None:
            self.recall(found)
        self.train(resume_from_checkpoint=str(checkpoint.folder_of(folder, found.step)) if found else None)

    def recall(self, found: Checkpoint) -> None:
        """Brings pools and callbacks to where they were at a checkpoint; the rest is `train`'s."""
        checkpoint.restore_pools(self._run.checkpoints, found, self._pools)
        for callback in self._step_callbacks:
            if type(callback).__name__ in found.memories:
                callback.recall(found.memories[type(callback).__name__])

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        """Weights as safetensors; tied weights are kept once, which Trainer's own way refuses.

        DeepSpeed's weights lie in one storage, and go on from its own shards: here they are kept for other readers.
        """
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if self.is_deepspeed_enabled and state_dict is not None:
            save_file({name: value.detach().clone() for name, value in state_dict.items()}, folder / WEIGHTS_FILE)
        else:
            save_model(self.model, str(folder / WEIGHTS_FILE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_model(model or self.model, str(Path(resume_from_checkpoint) / WEIGHTS_FILE))


def train_arm(model: JointModel, pools: Pools, questions: int, run: ArmRun) -> dict[str, float]:
    """Trains `model` in place, going on from the last checkpoint where there is one.

    The checkpoints stay, so that nothing is lost before the caller has saved the models; `checkpoint.forget` removes
    them. Every process of a launcher calls this.

    Args:
        model: one arm.
        pools: its pools, refreshed as the retriever moves.
        questions: number of training questions.
        run: how it is run.

    Returns:
        seconds (of this process), the costs of refreshes, steps, and how far each component moved.

    Raises:
        TrainingFailed: if something that trains does not move or the retriever collapses, or if the last checkpoint,
            or the number of questions, does not fit the number of processes.
        BudgetReached: if the device hours of `run.cost` are spent; the checkpoint is saved then.
    """
    settings, start = run.settings, time.monotonic()
    _check_processes(run, questions)
    processes.join()
    callbacks: list[TrainerCallback] = [refresh := _refresher(model, pools, run)]
    if settings.collapse is not None and model.arm == "jmlr":
        callbacks.append(CollapseGuard(settings.collapse))
    if run.cost is not None:
        run.cost.current.refresh_seconds = lambda: refresh.costs["refresh_seconds"]
        callbacks.append(run.cost)
    trainer = JointTrainer(model, pools, questions, run, [*callbacks, ProgressBar(model.arm)])
    trainer.go_on()
    with whole_weights(model):
        moved = trainer.change.measure(model)
    require_movement(moved, model.training_components)
    seconds = time.monotonic() - start
    return {"seconds": seconds, **refresh.costs, "steps": trainer.state.global_step, **moved}


def whole_weights(model: nn.Module) -> AbstractContextManager[Any]:
    """Within it every process holds all weights of `model`, of which DeepSpeed's ZeRO 3 leaves each a shard otherwise.

    Every process must enter it.
    """
    if not processes.is_sharded(model):
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[Any] = deepspeed.zero.GatheredParameters(list(model.parameters()))
    return gathered


def _check_processes(run: ArmRun, questions: int) -> None:
    together = processes.world_size()
    checkpoint.check_world_size(run.checkpoints, together)
    if min(run.settings.questions_per_step, questions) < together:
        raise TrainingFailed(
            f"a step has {min(run.settings.questions_per_step, questions)} question(s) for {together} processes",
            expected="at least one for each",
            where="params.yaml, train.questions_per_step",
            next_step="raise it, or start fewer processes",
        )


def _refresher(model: JointModel, pools: Pools, run: ArmRun) -> RefreshPools:
    drift = None
    if run.settings.refresh_drift is not None and model.arm == "jmlr":
        drift = Drift(model._corpus.questions, pools.texts, run.settings.refresh_drift, run.seed)
    return RefreshPools(model, pools, drift, run.settings)


def _as_metrics(step: StepLoss) -> dict[str, float]:
    named = {
        "reader_loss": step.reader,
        "retriever_loss": step.retriever,
        "sampled_reader_loss": step.sampled_reader,
        "score_spread": step.score_spread,
    }
    return {name: float(value) for name, value in named.items() if value is not None}
