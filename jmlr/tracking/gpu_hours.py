"""What a training runs on: its device hours are comparable between one machine and many."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Devices:
    """What a training runs on.

    Attributes:
        kind: `cuda` or `cpu`; hours of the two are not to be added.
        count: devices that work at the same time, 1 or more; on CPU one for each process.
    """

    kind: str
    count: int


def count_devices() -> Devices:
    """The devices of this training: one for each process that the launcher (torchrun, DeepSpeed) started."""
    import torch

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    return Devices(kind, count_processes())


def count_processes() -> int:
    """How many processes the launcher started, each with a device of its own; 1 without one."""
    return max(1, int(os.environ.get("WORLD_SIZE", "1")))
