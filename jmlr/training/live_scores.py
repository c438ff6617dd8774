"""MaxSim with gradient of the sampled passages, most of which keep their stored vectors."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from jmlr.models.maxsim import maxsim
from jmlr.models.retriever import Retriever
from jmlr.settings import ObjectiveSettings, TrainSettings
from jmlr.training import processes
from jmlr.training.chunked_encoding import encode_in_chunks
from jmlr.training.objective import retriever_loss
from jmlr.training.pools import Pools

NEGLIGIBLE_PULL = 0.02
"""A pull below this share of the strongest is not worth an encoding."""


@dataclass(frozen=True)
class Judged:
    """Sampled passages, and how well the reader answers with them.

    Attributes:
        numbers: of the passages, int64 (B, M).
        losses: the reader's, float32 (B, M), nats.
    """

    numbers: torch.Tensor
    losses: torch.Tensor


def live_scores(
    retriever: Retriever, queries: torch.Tensor, judged: Judged, pools: Pools, settings: TrainSettings
) -> torch.Tensor:
    """MaxSim with gradient of each question's sampled passages, float32 (B, M).

    Every question's vectors get the gradient of all its passages. Passages are encoded with gradient where the loss
    pulls at them most (`passages_with_gradient` a question, all for None). The others keep their stored vectors.

    Args:
        retriever: that trains.
        queries: its question vectors with gradient, (B, Q, H).
        judged: B x M sampled passages.
        pools: with the stored vectors.
        settings: of the training.
    """
    sampled, limit = judged.numbers, settings.sampling.passages_with_gradient
    is_sharded = processes.is_sharded(retriever)
    if limit is None:
        rows, columns = torch.ones_like(sampled, dtype=torch.bool).nonzero(as_tuple=True)
        scores = torch.zeros(sampled.shape, device=sampled.device)
    else:
        scores = maxsim(queries, *pools.store.padded(sampled))
        rows, columns = strongest_pulls(settings.objective, scores, judged.losses, limit)
    if not len(rows):
        if not is_sharded:
            return scores
        # One passage, pulled at or not: other processes run the encoder now, and wait for this one.
        rows, columns = torch.zeros(2, 1, dtype=torch.long, device=sampled.device)
    unique, inverse = sampled[rows, columns].unique(return_inverse=True)
    texts = [pools.texts[number] for number in unique.tolist()]
    chunk = None if is_sharded else settings.sampling.encode_chunk_passages
    vectors, mask = encode_in_chunks(retriever, texts, chunk)
    live = maxsim(queries[rows], vectors[inverse][:, None], mask[inverse][:, None])[:, 0]
    return scores.index_put((rows, columns), live)


def strongest_pulls(
    objective: ObjectiveSettings, scores: torch.Tensor, losses: torch.Tensor, limit: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of the `limit` passages of each question whose score the loss would change most."""
    still = scores.detach().requires_grad_()
    (pull,) = torch.autograd.grad(retriever_loss(objective, still, losses), still)
    pull = pull.abs()
    bar = pull.topk(min(limit, pull.shape[1]), dim=1).values[:, -1:].clamp_min(NEGLIGIBLE_PULL * pull.max())
    return torch.nonzero((pull >= bar) & (pull > 0), as_tuple=True)
