"""Parameter groups: one learning rate for the reader, one for the retriever, and nothing left out."""

from __future__ import annotations

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
    """Optimizer groups named by component, each with its own learning rate; together all that trains, each once.

    Raises:
        TrainingFailed: if a trainable parameter belongs to no component, or is not float32.
    """
    rates = {"reader": settings.reader.learning_rate, "retriever": settings.retriever.learning_rate}
    groups: dict[str, list[nn.Parameter]] = {component: [] for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if component_of(name) not in groups:
            raise TrainingFailed(f"parameter {name} belongs to no component", expected=f"one of {COMPONENTS}")
        groups[component_of(name)].append(parameter)
    rounded = [name for name, p in model.named_parameters() if p.requires_grad and p.dtype != torch.float32]
    if rounded:
        raise TrainingFailed(
            f"{', '.join(rounded[:3])} ({len(rounded)} parameters in all) would train in a dtype of low precision",
            expected="float32, in which small steps are not rounded away",
            where="jmlr/models/trainable_reader.py, hold_trained_in_float32",
        )
    return [
        {"params": parameters, "lr": rates[component], "weight_decay": 0.0, "component": component}
        for component, parameters in groups.items()
        if parameters
    ]


def count_parameters(model: nn.Module) -> dict[str, dict[str, int]]:
    """Trainable and frozen numbers of each component."""
    counts = {component: {"trainable": 0, "frozen": 0} for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        counts[component_of(name)]["trainable" if parameter.requires_grad else "frozen"] += parameter.numel()
    return counts
