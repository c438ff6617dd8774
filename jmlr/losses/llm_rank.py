"""LLM-Rank: the passage under which the answer is likelier must score higher."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

MINMAX_EPSILON = 1e-6


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """`values` as float32; float64 stays as it is, so that gradients can be checked in it.

    >>> [at_least_float32(torch.zeros(1, dtype=kind)).dtype for kind in (torch.bfloat16, torch.float64)]
    [torch.float32, torch.float64]
    """
    return values if values.dtype == torch.float64 else values.float()


def scale_minmax(scores: torch.Tensor) -> torch.Tensor:
    """Scores scaled to [-1, 1] along the last axis; equal scores become -1 all.

    Args:
        scores: (..., K) float.

    Returns:
        (..., K) float32 (float64 for float64 scores).

    Source: arXiv 2402.17887, section 3; the epsilon is ours, without it equal scores divide by zero.

    >>> scale_minmax(torch.tensor([2.0, 4.0, 3.5])).round(decimals=3).tolist()
    [-1.0, 1.0, 0.5]
    """
    scores = at_least_float32(scores)
    low, high = scores.amin(-1, keepdim=True), scores.amax(-1, keepdim=True)
    return 2 * (scores - low) / (high - low + MINMAX_EPSILON) - 1


def likelihood(losses: torch.Tensor, beta: float) -> torch.Tensor:
    """How the reader would divide its trust among passages: softmax(-beta l), (..., M), sums to 1.

    Args:
        losses: (..., M) mean answer-token losses, nats.
        beta: sharpness, 1 / nats.
    """
    return torch.softmax(-beta * at_least_float32(losses), dim=-1)


def llm_rank_loss(
    scores: torch.Tensor,
    losses: torch.Tensor,
    *,
    pair_weight: Literal["uniform", "likelihood_gap", "probability_gap"] = "likelihood_gap",
    temperature: float = 1.0,
    beta: float = 3.0,
) -> torch.Tensor:
    """Pairwise logistic loss between retriever scores and the order of the reader's losses.

    For passages i, j of one question with l_i < l_j the term is w_ij softplus(-(s_i - s_j) / temperature), which is the
    binary cross-entropy of sigmoid(s_i - s_j) against 1[l_i < l_j]. Pairs of equal losses carry no order and no weight.

    Args:
        scores: (B, M) retriever scores with gradient; min-max scaled for the paper's form, raw for the stabilised one.
        losses: (B, M) the reader's mean answer-token loss given each passage alone, nats; no gradient is taken.
        pair_weight: `uniform` (the paper): every ordered pair counts 1; `likelihood_gap`: abs(p_i - p_j) with
            p = softmax(-beta l), so that the order of two useless passages hardly counts where their losses are alike;
            `probability_gap`: abs(P_i - P_j) with P = exp(-beta l), for beta = 1 the geometric mean of the answer
            tokens' probabilities, so that it hardly counts however their losses differ.
        temperature: divides the score differences.
        beta: of either gap, 1 / nats.

    Returns:
        float32 scalar (float64 for float64 scores): the mean over questions of the mean over the M (M - 1) / 2 pairs; 0
        for a single passage.

    Source: arXiv 2402.17887, Eq. 3. Deviations: softplus in place of log(1 - sigmoid), which overflows; at least
    float32 inside; both gaps and `temperature` are ours.

    >>> scores, losses = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 2.0]])
    >>> round(llm_rank_loss(scores, losses, pair_weight="uniform").item(), 4)  # log 2
    0.6931
    """
    scores, losses = at_least_float32(scores), at_least_float32(losses.detach())
    passages = scores.shape[-1]
    if passages < 2:
        return scores.sum() * 0.0
    difference = (scores[:, :, None] - scores[:, None, :]) / temperature
    terms = _pair_weights(losses, pair_weight, beta) * functional.softplus(-difference)
    return terms.sum(dim=(1, 2)).mean() / (passages * (passages - 1) / 2)


def _pair_weights(losses: torch.Tensor, kind: str, beta: float) -> torch.Tensor:
    """(B, M, M): the weight of passage i above passage j, 0 where the reader does not find i the better one."""
    better = (losses[:, :, None] < losses[:, None, :]).float()
    if kind == "uniform":
        return better
    trust = likelihood(losses, beta) if kind == "likelihood_gap" else torch.exp(-beta * losses)
    return better * (trust[:, :, None] - trust[:, None, :]).abs()
