"""The precision that losses are computed in."""

from __future__ import annotations

import torch


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """`values` as float32; float64 stays as it is, so that gradients can be checked in it.

    >>> [at_least_float32(torch.zeros(1, dtype=kind)).dtype for kind in (torch.bfloat16, torch.float64)]
    [torch.float32, torch.float64]
    """
    return values if values.dtype == torch.float64 else values.float()
