"""Several processes, one loss: each process's part of a step weighs as much as its questions and answer tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from jmlr.training import processes
from jmlr.training.param_groups import component_of

if TYPE_CHECKING:
    from jmlr.training.joint import JointModel

_OF_READER = frozenset({"reader_loss"})


class Shares:
    """Makes the mean over processes, which DDP and DeepSpeed take of gradients, the mean over the whole step.

    The reader's loss is a mean over answer tokens, the retriever's one over questions, and processes differ in both. As
    the reader's gradient comes from its own loss alone and the retriever's from its own, each component's gradient is
    scaled by this process's share of what its loss is a mean of, before the processes' gradients are averaged.

    Args:
        model: whose trainable parameters get a hook, unless there is one process only.
    """

    def __init__(self, model: JointModel) -> None:
        self._scales = {"reader": 1.0, "retriever": 1.0}
        self._sizes = {"reader": 1.0, "retriever": 1.0}
        self._alone = processes.world_size() == 1
        if self._alone:
            return
        self._answer_tokens = _answer_tokens(model)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.register_hook(self._scaler(component_of(name)))

    def of_step(self, rows: torch.Tensor) -> None:
        """Prepares for the step whose questions, in this process, are numbered `rows`."""
        if self._alone:
            return
        self._sizes = {"reader": float(self._answer_tokens[rows.cpu()].sum()), "retriever": float(len(rows))}
        everyone = processes.gather(self._sizes)
        for component, size in self._sizes.items():
            self._scales[component] = size * len(everyone) / sum(sizes[component] for sizes in everyone)

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The step's figures over all processes."""
        weights = {name: self._sizes["reader" if name in _OF_READER else "retriever"] for name in figures}
        return processes.weighted_mean(figures, weights)

    def _scaler(self, component: str) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda gradient: gradient * self._scales[component]


def _answer_tokens(model: JointModel) -> torch.Tensor:
    """Answer tokens of every question, int64 (N,); they do not depend on the passages read."""
    writer, questions = model.writer, model.corpus.questions
    return torch.tensor([len(writer.write_taught(question).answer_ids) for question in questions])
