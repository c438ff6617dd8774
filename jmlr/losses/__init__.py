"""The retriever's objectives."""

from __future__ import annotations

import torch

from jmlr.losses.distribution import emdr2_loss, loop_loss, pdist_loss, replug_lsr_loss
from jmlr.losses.llm_rank import llm_rank_loss, scale_minmax
from jmlr.settings import ObjectiveSettings

_DISTRIBUTION_LOSSES = {
    "pdist": pdist_loss,
    "emdr2": emdr2_loss,
    "loop": loop_loss,
    "replug_lsr": replug_lsr_loss,
}


def retriever_loss(settings: ObjectiveSettings, scores: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """The objective of `settings`, times its weight, float32 scalar (float64 for float64 scores).

    Args:
        settings: which loss, in which form.
        scores: (B, M) raw MaxSim with gradient.
        losses: (B, M) the reader's mean answer-token losses, nats: given each passage alone, or for `loop` given all
            but this one.
    """
    if settings.scores == "minmax":
        scores = scale_minmax(scores)
    if settings.name == "llm_rank":
        loss = llm_rank_loss(
            scores,
            losses,
            pair_weight=settings.pair_weight,
            temperature=settings.temperature,
            beta=settings.beta,
        )
    else:
        compare = _DISTRIBUTION_LOSSES[settings.name]
        loss = compare(scores, losses, temperature=settings.temperature, beta=settings.beta)
    return settings.weight * loss
