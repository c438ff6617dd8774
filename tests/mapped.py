"""Whether tensors are memory-mapped, and from which file."""

from __future__ import annotations

from pathlib import Path

import torch


def mapped_file(tensor: torch.Tensor) -> str:
    """Device, inode and name of the file that a tensor is memory-mapped from; nothing of one in plain memory."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        first, end = (int(address, 16) for address in line.split()[0].split("-"))
        if first <= tensor.data_ptr() < end:
            return " ".join(line.split()[3:])
    return ""
