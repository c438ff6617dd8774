"""The retriever's loss as the settings have it."""

from __future__ import annotations

from operator import attrgetter

import torch

from jmlr import losses as room
from jmlr.losses import LOSSES
from jmlr.losses import distribution as distribution  # the files that LOSSES names
from jmlr.losses.llm_rank import scale_minmax
from jmlr.settings import ObjectiveSettings


def retriever_loss(settings: ObjectiveSettings, scores: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """The loss that `settings` name, times its weight, float32 scalar (float64 for float64 scores).

    Args:
        settings: which loss, in which form.
        scores: (B, M) raw MaxSim with gradient.
        losses: (B, M) the reader's mean answer-token losses, nats, by the evidence that the loss needs.
    """
    loss = LOSSES[settings.name]
    if settings.scores == "minmax":
        scores = scale_minmax(scores)
    value: torch.Tensor = attrgetter(loss.function)(room)(
        scores, losses, **settings.model_dump(include=set(loss.settings))
    )
    return settings.weight * value
