"""How much each component's gradient is, and how far its weights have come."""

from __future__ import annotations

import torch
from torch import nn

from jmlr.training.param_groups import COMPONENTS, component_of


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Euclidean norm of the gradient of each component that has one, before clipping."""
    squares: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            component = component_of(name)
            squares[component] = squares.get(component, 0.0) + float(parameter.grad.float().pow(2).sum())
    return {f"{component}_gradient_norm": square**0.5 for component, square in squares.items()}


class WeightChange:
    """Remembers the trainable weights and measures how far they have moved."""

    def __init__(self, model: nn.Module) -> None:
        self._start = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def measure(self, model: nn.Module) -> dict[str, float]:
        """Norm of the change over norm of the start, of each trainable component; dimensionless.

        The weights must be whole, not DeepSpeed's shards of them.
        """
        moved, size = dict.fromkeys(COMPONENTS, 0.0), dict.fromkeys(COMPONENTS, 0.0)
        for name, parameter in model.named_parameters():
            if name in self._start:
                start = self._start[name].to(parameter.device)  # DeepSpeed moves a model after it was remembered
                moved[component_of(name)] += float((parameter - start).float().pow(2).sum())
                size[component_of(name)] += float(start.float().pow(2).sum())
        return {f"{c}_weight_change": (moved[c] / size[c]) ** 0.5 for c in COMPONENTS if size[c] > 0}
