"""How much each component's gradient is, and how far its weights have come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from jmlr.errors import TrainingFailed
from jmlr.models.parts import part_of_each
from jmlr.training.param_groups import component_of

_SUFFIX = "_weight_change"


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Euclidean norm of the gradient of each component that has one, before clipping."""
    squares: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            component = component_of(name)
            squares[component] = squares.get(component, 0.0) + float(parameter.grad.float().pow(2).sum())
    return {f"{component}_gradient_norm": square**0.5 for component, square in squares.items()}


class WeightChange:
    """Remembers the trainable weights and measures how far they have moved: each component, and each part of it."""

    def __init__(self, model: nn.Module) -> None:
        self._parts = part_of_each(model)
        self._start = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def measure(self, model: nn.Module) -> dict[str, float]:
        """Norm of the change over norm of the start; dimensionless, 1 for what was 0 and moved.

        The weights must be whole, not DeepSpeed's shards of them.

        Returns:
            by name: `reader_weight_change`, `reader_norms_weight_change` and so on, of all that trains.
        """
        moved, size = defaultdict[str, float](float), defaultdict[str, float](float)
        for name, parameter in model.named_parameters():
            if name in self._start:
                start = self._start[name].to(parameter.device)  # DeepSpeed moves a model after it was remembered
                way, length = float((parameter - start).float().pow(2).sum()), float(start.float().pow(2).sum())
                for group in (component_of(name), f"{component_of(name)}_{self._parts[name]}"):
                    moved[group] += way
                    size[group] += length
        return {f"{group}{_SUFFIX}": (moved[group] / (size[group] or moved[group] or 1.0)) ** 0.5 for group in moved}


def require_movement(change: Mapping[str, float], components: Sequence[str]) -> None:
    """Refuses a training in which something that trains stands still.

    Args:
        change: as `WeightChange.measure` gives it, since before the first try.
        components: those that must train.

    Raises:
        TrainingFailed: naming the components, or the parts of them, whose change is 0.
    """
    found = {**dict.fromkeys((f"{component}{_SUFFIX}" for component in components), 0.0), **change}
    still = [name.removesuffix(_SUFFIX).replace("_", "'s ", 1) for name, value in found.items() if value == 0]
    if still:
        raise TrainingFailed(
            f"did not move although it trains: {', '.join(still)}",
            expected="a weight change above 0 of everything that trains",
            where="the weights after the last step",
            next_step="raise train.reader.learning_rate or train.retriever.learning_rate, whichever drives it",
        )
