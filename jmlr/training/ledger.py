"""The ledger: what each arm trains, at which rates."""

from __future__ import annotations

from torch import nn

from jmlr.config import TrainSettings
from jmlr.training.param_groups import check_groups, count_parameters, group_parameters


def describe_components(model: nn.Module, settings: TrainSettings) -> dict[str, dict[str, float | int]]:
    """Trainable and frozen numbers and the learning rate of each component of an arm, 0 where all is frozen.

    What is in ledger.json before the first step; its costs follow.

    Args:
        model: the arm's JointModel.
        settings: of the training.

    Raises:
        TrainingFailed: if the optimizer's groups would not hold every trainable parameter exactly once.
    """
    groups = group_parameters(model, settings)
    check_groups(model, groups)
    rates = {group["component"]: group["lr"] for group in groups}
    return {
        component: {**counts, "learning_rate": rates.get(component, 0.0)}
        for component, counts in count_parameters(model).items()
        if sum(counts.values())
    }
