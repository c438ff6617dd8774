"""Seconds, memory, operations and gradients of a step."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from synthetic import Bench
from torch import nn

from jmlr.training.cost.flops import TokenCounter
from jmlr.training.movement import gradient_norms

MEGABYTE = 1024.0**2


@contextmanager
def arithmetic(bench: Bench) -> Iterator[None]:
    """Autocast where the bench asks for bfloat16, as the Trainer does it."""
    half = bench.hardware.dtype == "bfloat16"
    with torch.autocast(bench.hardware.device, torch.bfloat16, enabled=half):
        yield


def take_gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of each component's gradient; the gradients are gone afterwards."""
    norms = gradient_norms(model)
    model.zero_grad()
    return norms


def time_in_turns(
    model: nn.Module, steps: Mapping[str, Callable[[], Any]], repeats: int, device: str
) -> dict[str, dict[str, float]]:
    """Median wall and CPU seconds of each step; the steps take turns, so that other load meets all alike."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            model.zero_grad()
            _wait(device)
            start, cpu_start = time.perf_counter(), time.process_time()
            step()
            _wait(device)
            seen[name].append((time.perf_counter() - start, time.process_time() - cpu_start))
    return {
        name: {"seconds": median(wall for wall, _ in pairs), "cpu_seconds": median(cpu for _, cpu in pairs)}
        for name, pairs in seen.items()
    }


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def flops(model: nn.Module, step: Callable[[], Any]) -> float:
    """Model FLOPs of one step by the tokens that reach the models (jmlr.training.cost.flops)."""
    counter = TokenCounter(model)
    step()
    counter.close()
    model.zero_grad()
    return counter.take()["flops"]


def cuda_megabytes(model: nn.Module, step: Callable[[], Any]) -> float:
    """Memory that torch allocated at most during the step, less what it held before."""
    model.zero_grad()
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    return (torch.cuda.max_memory_allocated() - before) / MEGABYTE


def resident_megabytes(step: Callable[[], Any]) -> float:
    """Highest resident memory of this process during the step, less what it held before (Linux)."""
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # what was freed before must not hide what the step takes
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
    before = _status_megabytes("VmRSS")
    step()
    return _status_megabytes("VmHWM") - before


def _status_megabytes(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) / 1024.0 for line in lines if line.startswith(f"{key}:"))


def machine(device: str) -> str:
    """The device in words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {os.cpu_count()} cores"
