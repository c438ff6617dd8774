"""Parameter groups: one learning rate for the reader, one for the retriever, and nothing left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from jmlr.errors import TrainingFailed
from jmlr.settings import TrainSettings

COMPONENTS = ("reader", "retriever")


def component_of(name: str) -> str:
    """The component a parameter of JointModel belongs to.

    >>> component_of("reader.model.norm.weight")
    'reader'
    """
    return name.split(".", 1)[0]


def group_parameters(model: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """Optimizer groups named by component, each with its own learning rate.

    Raises:
        TrainingFailed: if a trainable parameter belongs to no component.
    """
    rates = {"reader": settings.reader.learning_rate, "retriever": settings.retriever.learning_rate}
    groups: dict[str, list[nn.Parameter]] = {component: [] for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if component_of(name) not in groups:
            raise TrainingFailed(f"parameter {name} belongs to no component", expected=f"one of {COMPONENTS}")
        groups[component_of(name)].append(parameter)
    return [
        {"params": parameters, "lr": rates[component], "weight_decay": 0.0, "component": component}
        for component, parameters in groups.items()
        if parameters
    ]


def check_groups(model: nn.Module, groups: Sequence[Mapping[str, Any]]) -> None:
    """Refuses optimizer groups that do not hold every trainable parameter of the model exactly once, in float32.

    Raises:
        TrainingFailed: naming the first parameters that are left out, held twice, frozen or of another dtype.
    """
    held = Counter(id(parameter) for group in groups for parameter in group["params"])
    wanted = {name: int(parameter.requires_grad) for name, parameter in model.named_parameters()}
    wrong = [f"{name} {held[id(p)]} times" for name, p in model.named_parameters() if held[id(p)] != wanted[name]]
    if wrong:
        raise TrainingFailed(
            f"the optimizer's groups hold {', '.join(wrong[:3])} ({len(wrong)} parameters in all)",
            expected="every trainable parameter once and no frozen one",
            where="jmlr/training/param_groups.py",
        )
    rounded = [name for name, p in model.named_parameters() if p.requires_grad and p.dtype != torch.float32]
    if rounded:
        raise TrainingFailed(
            f"{', '.join(rounded[:3])} ({len(rounded)} parameters in all) would train in a dtype of low precision",
            expected="float32, in which small steps are not rounded away",
            where="jmlr/models/trainable_reader.py, hold_trained_in_float32",
        )


def count_parameters(model: nn.Module) -> dict[str, dict[str, int]]:
    """Trainable and frozen numbers of each component."""
    counts = {component: {"trainable": 0, "frozen": 0} for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        counts[component_of(name)]["trainable" if parameter.requires_grad else "frozen"] += parameter.numel()
    return counts
