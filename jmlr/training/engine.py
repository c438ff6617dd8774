"""Carries a training step onto the devices: one process, several (DDP), or DeepSpeed. The loop sees no difference."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from jmlr.errors import TrainingFailed
from jmlr.settings import TrainSettings
from jmlr.training import processes
from jmlr.training.movement import gradient_norms
from jmlr.training.param_groups import group_parameters

WEIGHTS_FILE, OPTIMIZER_FILE = "model.safetensors", "optimizer.pt"


class Engine:
    """The model with its optimizer and rates.

    Args:
        model: a JointModel; it is moved to this process's device.
        settings: of the training.
    """

    def __init__(self, model: nn.Module, settings: TrainSettings) -> None:
        self._model, self._settings = model, settings
        groups = group_parameters(model, settings)
        self._first_rates = [group["lr"] for group in groups]
        self._optimizer: Any = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, fused=True)
        self._deepspeed: Any = None
        self._whole: Any = model  # what is called: the model, or what wraps it
        self.set_rates(done=0)
        if settings.deepspeed is not None:
            self._deepspeed = self._whole = _deepspeed_engine(model, self._optimizer, settings)
            self._optimizer = self._deepspeed.optimizer
        elif processes.world_size() > 1:
            device = processes.device()
            on = [device] if device.type == "cuda" else None
            self._whole = DistributedDataParallel(model, device_ids=on, find_unused_parameters=True)

    def forward(self, rows: torch.Tensor, draw_seed: int) -> Any:
        """The model's StepLoss; in bfloat16 by autocast where the reader's dtype says so."""
        half = self._settings.reader.dtype == "bfloat16" and self._deepspeed is None  # which has its own autocast
        with torch.autocast(processes.device().type, torch.bfloat16, enabled=half):
            return self._whole(rows=rows, draw_seed=draw_seed)

    def backward(self, loss: torch.Tensor) -> None:
        """Adds the gradients of `loss`, averaged over processes."""
        if self._deepspeed is None:
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            self._deepspeed.backward(loss)

    def step(self, number: int) -> dict[str, float]:
        """Clips the gradients, takes step `number`, counted from 1, and sets the rates of the next one.

        Returns:
            The norm of each component's gradient before clipping; under DeepSpeed the norm of both together.
        """
        if self._deepspeed is not None:
            self._deepspeed.step()
            norms = {"gradient_norm": float(self._deepspeed.get_global_grad_norm() or 0.0)}
        else:
            norms = gradient_norms(self._model)
            nn.utils.clip_grad_norm_(self._model.parameters(), self._settings.max_gradient_norm)
            self._optimizer.step()
            self._model.zero_grad()
        self.set_rates(done=number)
        return norms

    def set_rates(self, done: int) -> None:
        """Sets the rates after `done` steps: linear warm-up, then linear decay to 0 after the last step."""
        steps, warmup = self._settings.steps, self._settings.warmup_steps
        factor = done / max(1, warmup) if done < warmup else max(0.0, (steps - done) / max(1, steps - warmup))
        for group, rate in zip(self._optimizer.param_groups, self._first_rates, strict=True):
            group["lr"] = rate * factor

    def rates(self) -> dict[str, float]:
        """The learning rate of each component at the next step."""
        return {f"{group['component']}_learning_rate": group["lr"] for group in self._optimizer.param_groups}

    def save(self, folder: Path) -> None:
        """Writes weights (whole), optimizer and each process's random generators; every process must call it."""
        folder.mkdir(parents=True, exist_ok=True)
        with whole_weights(self._model):
            if processes.is_first():
                weights = {
                    name: value.detach().to("cpu", copy=True) for name, value in self._model.state_dict().items()
                }
                save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS_FILE)
        torch.save(_random_state(), _random_file(folder))
        if self._deepspeed is not None:
            self._deepspeed.save_checkpoint(str(folder))
        elif processes.is_first():
            torch.save(self._optimizer.state_dict(), folder / OPTIMIZER_FILE)

    def load(self, folder: Path, done: int) -> None:
        """Goes back to what `save` wrote after `done` steps; every process must call it.

        Raises:
            TrainingFailed: if DeepSpeed finds no shards of its own there.
        """
        if self._deepspeed is None:
            self._model.load_state_dict(load_file(folder / WEIGHTS_FILE))
            self._optimizer.load_state_dict(torch.load(folder / OPTIMIZER_FILE, map_location="cpu", weights_only=True))
        elif self._deepspeed.load_checkpoint(str(folder))[0] is None:
            raise TrainingFailed(
                "DeepSpeed finds no shards in the checkpoint",
                expected="one that was written under train.deepspeed",
                where=str(folder),
                next_step=f"remove {folder} to begin again",
            )
        self.set_rates(done)
        _set_random_state(torch.load(_random_file(folder), weights_only=True))


def whole_weights(model: nn.Module) -> AbstractContextManager[Any]:
    """Within it every process holds all weights of `model`; outside, ZeRO 3 leaves each process a shard.

    Every process must enter it.
    """
    if not processes.is_sharded(model):
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[Any] = deepspeed.zero.GatheredParameters(list(model.parameters()))
    return gathered


def _deepspeed_engine(model: nn.Module, optimizer: torch.optim.Optimizer, settings: TrainSettings) -> Any:
    import deepspeed

    block = _deepspeed_block(settings)
    backend = "nccl" if processes.device().type == "cuda" else "gloo"
    deepspeed.init_distributed(dist_backend=backend, auto_mpi_discovery=False)
    offload = block.get("zero_optimization", {}).get("offload_optimizer", {})
    if offload.get("device", "none") != "none" and block.get("zero_force_ds_cpu_optimizer", True):
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        optimizer = DeepSpeedCPUAdam(optimizer.param_groups, betas=(0.9, 0.999), eps=1e-8, adamw_mode=True)
    return deepspeed.initialize(model=model, optimizer=optimizer, config=block)[0]


def _deepspeed_block(settings: TrainSettings) -> dict[str, Any]:
    """`train.deepspeed` with its `auto` values filled in, and bfloat16 by autocast.

    DeepSpeed's own `bf16` casts all weights, the retriever's too. So what trains is float32, as without DeepSpeed;
    frozen weights stay as they are.

    Raises:
        TrainingFailed: if a value contradicts the settings of the training.
    """
    block = {name: value for name, value in (settings.deepspeed or {}).items() if name != "bf16"}
    together = processes.world_size()
    each = -(-settings.questions_per_step // together)
    known = {
        "train_micro_batch_size_per_gpu": each,
        "train_batch_size": each * together,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": settings.max_gradient_norm,
    }
    for name, value in known.items():
        if block.get(name, "auto") not in ("auto", value):
            raise TrainingFailed(
                f"train.deepspeed.{name} is {block[name]}, and the training's own value is {value}",
                expected="the same value, or auto",
                where="params.yaml, train.deepspeed",
                next_step=f"set train.deepspeed.{name}: auto",
            )
        if name in block or name.startswith("train_"):
            block[name] = value
    if settings.reader.dtype == "bfloat16":
        block["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
    return {**block, "zero_allow_untested_optimizer": True}


def _random_file(folder: Path) -> Path:
    return folder / f"random-{processes.rank()}.pt"


def _random_state() -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _set_random_state(state: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
