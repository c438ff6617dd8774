"""The ledger: what each arm trains, at which rates, and how many rationales it is taught."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from jmlr.models.prompt import PromptWriter
from jmlr.settings import TrainSettings
from jmlr.training.param_groups import count_parameters, group_parameters
from jmlr.types import Question


def describe_components(model: nn.Module, settings: TrainSettings) -> dict[str, dict[str, float | int]]:
    """Trainable and frozen numbers and the learning rate of each component of an arm, 0 where all is frozen.

    What is in ledger.json before the first step; its costs follow.

    Args:
        model: the arm's JointModel.
        settings: of the training.

    Raises:
        TrainingFailed: if a trainable parameter cannot be in the optimizer's groups.
    """
    rates = {group["component"]: group["lr"] for group in group_parameters(model, settings)}
    return {
        component: {**counts, "learning_rate": rates.get(component, 0.0)}
        for component, counts in count_parameters(model).items()
        if sum(counts.values())
    }


def describe_rationales(writer: PromptWriter, questions: Sequence[Question]) -> dict[str, int]:
    """Training questions: how many, how many are taught with their rationale, how many of these are cut.

    Args:
        writer: of the prompts, with `prompt.answer: letter_rationale`.
        questions: of the training.
    """
    taught = [writer.write_taught(question) for question in questions if question.rationale]
    cut = sum(item.answer_ids[-1] != writer.end_id for item in taught)
    return {"questions": len(questions), "with_rationale": len(taught), "cut": cut}
