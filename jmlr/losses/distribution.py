"""Losses that compare the retriever's distribution over passages with the reader's: PDist, EMDR2, LOOP, REPLUG-LSR.

All four take the reader's mean loss of an answer token, where the papers take the log-probability of the whole answer:
so a long answer does not sharpen the target. With `beta` as the answer's length in tokens they are the papers' forms.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from jmlr.losses.llm_rank import at_least_float32, likelihood


def pdist_loss(
    scores: torch.Tensor, losses: torch.Tensor, *, temperature: float = 1.0, beta: float = 1.0
) -> torch.Tensor:
    """Perplexity distillation: KL(softmax(-beta l) || softmax(s / temperature)).

    Args:
        scores: (B, M) retriever scores with gradient.
        losses: (B, M) the reader's mean answer-token loss given each passage alone, nats; no gradient is taken.
        temperature: divides the scores.
        beta: sharpness of the reader's distribution, 1 / nats.

    Returns:
        float32 scalar (float64 for float64 scores), mean over questions, nats; 0 where both distributions agree.

    Source: Atlas, arXiv 2208.03299, section 2.2. Deviation: `beta` on mean token losses (1 on summed ones there).

    >>> losses = torch.tensor([[1.0, 2.0]])
    >>> round(pdist_loss(-losses, losses).item(), 6)
    0.0
    """
    return _divergence_from(likelihood(losses.detach(), beta), scores, temperature)


def loop_loss(
    scores: torch.Tensor, losses_without: torch.Tensor, *, temperature: float = 1.0, beta: float = 1.0
) -> torch.Tensor:
    """Leave-one-out perplexity distillation: KL(softmax(beta l') || softmax(s / temperature)).

    The passage without which the answer is least likely is the one that helps most.

    Args:
        scores: (B, M) retriever scores with gradient.
        losses_without: (B, M) the reader's mean answer-token loss l' given all M passages but this one, nats; no
            gradient is taken.
        temperature: divides the scores.
        beta: sharpness of the reader's distribution, 1 / nats.

    Returns:
        float32 scalar (float64 for float64 scores), mean over questions, nats; 0 where both distributions agree.

    Source: Atlas, arXiv 2208.03299, section 2.2. Deviations: `beta` on mean token losses (1 on summed ones there); one
    reader attends to all passages, where Atlas fuses them in the decoder.

    >>> losses_without = torch.tensor([[1.0, 2.0]])
    >>> round(loop_loss(losses_without, losses_without).item(), 6)
    0.0
    """
    return _divergence_from(likelihood(-losses_without.detach(), beta), scores, temperature)


def emdr2_loss(
    scores: torch.Tensor, losses: torch.Tensor, *, temperature: float = 1.0, beta: float = 1.0
) -> torch.Tensor:
    """Marginal likelihood of the answer: -log sum_i softmax(s / temperature)_i exp(-beta l_i).

    Args:
        scores: (B, M) retriever scores with gradient.
        losses: (B, M) the reader's mean answer-token loss given each passage alone, nats; no gradient is taken.
        temperature: divides the scores.
        beta: factor of the losses; the answer's length in tokens makes exp(-beta l) the whole answer's probability.

    Returns:
        float32 scalar (float64 for float64 scores), mean over questions, nats; from beta x the smallest loss, where all
        trust is in the best passage, to beta x the largest.

    Source: arXiv 2106.05346, the retriever's term of the objective, as in Atlas, arXiv 2208.03299, section 2.2.
    Deviation: `beta` on mean token losses (1 on summed ones there).

    >>> losses = torch.tensor([[0.0, torch.inf]])
    >>> round(emdr2_loss(torch.zeros(1, 2), losses).item(), 4)  # log 2
    0.6931
    """
    scores, losses = at_least_float32(scores), at_least_float32(losses.detach())
    # The smallest loss is set apart, or beside a huge one the retriever's own log-probabilities would be rounded away.
    smallest = losses.amin(dim=-1, keepdim=True)
    joint = functional.log_softmax(scores / temperature, dim=-1) - beta * (losses - smallest)
    return (beta * smallest[..., 0] - torch.logsumexp(joint, dim=-1)).mean()


def replug_lsr_loss(
    scores: torch.Tensor, losses: torch.Tensor, *, temperature: float = 1.0, beta: float = 1.0
) -> torch.Tensor:
    """REPLUG's retriever loss: KL(softmax(s / temperature) || softmax(beta exp(-l))).

    The reader's distribution is a softmax of likelihoods, not of log-likelihoods: however useless a passage is, the
    best is at most exp(beta) times as likely.

    Args:
        scores: (B, M) retriever scores with gradient.
        losses: (B, M) the reader's mean answer-token loss given each passage alone, nats; no gradient is taken.
        temperature: divides the scores; the paper's gamma, 0.1.
        beta: multiplies the likelihoods; one over the paper's beta of 0.1, so 10.

    Returns:
        float32 scalar (float64 for float64 scores), mean over questions, nats; 0 where both distributions agree.

    Source: arXiv 2301.12652, sections 4.1 to 4.3. Deviation: exp(-l) is the geometric mean of the answer tokens'
    probabilities, not their product.

    >>> round(replug_lsr_loss(torch.zeros(1, 3), torch.full((1, 3), 2.0)).item(), 6)
    0.0
    """
    predicted = functional.log_softmax(at_least_float32(scores) / temperature, dim=-1)
    target = functional.log_softmax(beta * torch.exp(-at_least_float32(losses.detach())), dim=-1)
    return (predicted.exp() * (predicted - target)).sum(dim=-1).mean()


def _divergence_from(target: torch.Tensor, scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(target || softmax(scores / temperature)), mean over questions, nats; both (B, M)."""
    predicted = functional.log_softmax(at_least_float32(scores) / temperature, dim=-1)
    return functional.kl_div(predicted, target.to(predicted.dtype), reduction="batchmean")
