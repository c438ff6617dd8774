"""The processes that train together: which one this is, and how they wait for and speak to each other.

A launcher (torchrun, deepspeed) starts them and sets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Without
one there is one process, and nothing here waits for anybody. Torch is imported where it is needed only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes train together, 1 or more."""
    return max(1, int(os.environ.get("WORLD_SIZE", "1")))


def is_first() -> bool:
    """Whether this is the process that writes files."""
    return rank() == 0


def device() -> torch.device:
    """What this process computes on: a GPU of its own, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def join() -> None:
    """Makes this process one of the group; does nothing where it is alone or joined already."""
    if world_size() == 1:
        return
    import torch
    from torch import distributed

    if distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
        distributed.init_process_group("cpu:gloo,cuda:nccl")
    else:
        distributed.init_process_group("gloo")


def leave() -> None:
    """Takes this process out of its group."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Returns when every process has come here."""
    if _together():
        from torch import distributed

        distributed.barrier()


def gather(value: Any) -> list[Any]:
    """What every process gives here, in the order of their numbers."""
    if not _together():
        return [value]
    from torch import distributed

    gathered: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, value)
    return gathered


def by_turns(value: Any) -> Iterator[Any]:
    """What every process gives here, one after another, so that none ever holds all of it."""
    if not _together():
        yield value
        return
    from torch import distributed

    for source in range(distributed.get_world_size()):
        given = [value if source == rank() else None]
        distributed.broadcast_object_list(given, source)
        yield given[0]


def weighted_mean(figures: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """The mean over all processes of each figure, weighted by each process's weight of the same name.

    >>> weighted_mean({"reader_loss": 2.0}, {"reader_loss": 3.0})
    {'reader_loss': 2.0}
    """
    everyone = gather([(name, value, weights[name]) for name, value in figures.items()])
    sums: dict[str, tuple[float, float]] = {}
    for one in everyone:
        for name, value, weight in one:
            total, size = sums.get(name, (0.0, 0.0))
            sums[name] = total + value * weight, size + weight
    return {name: total / size for name, (total, size) in sums.items()}


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether each process holds a shard of the weights (ZeRO 3): then all must run the same number of forwards."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def _together() -> bool:
    from torch import distributed

    return distributed.is_initialized() and distributed.get_world_size() > 1
