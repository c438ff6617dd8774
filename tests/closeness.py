"""Closeness relative to the size of what is compared: processors round otherwise, and sums of any size differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

FLOAT32 = 2e-5
"""Share of the largest value that sums of float32 may differ by, in whatever order a processor adds them up."""


def assert_close(found: Any, expected: Any, share: float = FLOAT32, name: str = "") -> None:
    """Raises unless no number differs by more than `share` of the largest one that is expected.

    Args:
        found: tensor, number or sequence of numbers.
        expected: of the same shape; not all zeros.
        share: dimensionless.
        name: for the message.
    """
    one, other = torch.as_tensor(found).detach(), torch.as_tensor(expected).detach()
    if one.dtype != other.dtype:
        raise AssertionError(f"{name}: {one.dtype} in place of {other.dtype}")
    _compare(one, other, share * float(other.abs().max()), name)


def assert_all_close(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], share: float = FLOAT32
) -> None:
    """As `assert_close`, of the gradients or weights of one model by their names.

    One that is small beside the largest of all, as the gradient of an attention key's bias is, which is rounding alone,
    is compared with a tenth of that.
    """
    if found.keys() != expected.keys():
        raise AssertionError(f"{sorted(found.keys() ^ expected.keys())} are in one of them only")
    sizes = {name: float(value.detach().abs().max()) for name, value in expected.items()}
    least = max(sizes.values()) / 10
    for name, value in expected.items():
        _compare(found[name].detach(), value.detach(), share * max(sizes[name], least), name)


def _compare(one: torch.Tensor, other: torch.Tensor, bound: float, name: str) -> None:
    torch.testing.assert_close(
        one.double(), other.double(), rtol=0, atol=bound, msg=lambda text: f"{name or 'values'}: {text}"
    )
