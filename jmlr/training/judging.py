"""Judging: the reader's loss of the right answer under many prompts, in batches of few tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from jmlr.losses import Evidence
from jmlr.models.packing import by_length, common_beginning, pad
from jmlr.models.prompt import Prompted
from jmlr.models.reader import answer_losses, answer_losses_after
from jmlr.training import processes

JUDGED_TOKENS = 8192
"""Reader tokens of one batch, padding included."""
WORTH_SHARING = 0.2
"""Share of all tokens that prompts which begin alike must save before their beginnings are computed apart."""


def passages_read(evidence: Evidence, sampled: Sequence[int], ranks: Sequence[int]) -> list[list[int]]:
    """The passages that the reader is given to judge each sampled passage of a question, best first.

    A passage that the bound on the context leaves out anyway changes nothing by its absence.

    Args:
        evidence: that the loss needs.
        sampled: numbers of M passages.
        ranks: their places in the pool, 0 for its best.

    >>> from jmlr.losses import all_but_one
    >>> passages_read(all_but_one, [7, 8, 9], [2, 0, 1])
    [[8, 9], [9, 7], [8, 7]]
    """
    best_first = [number for _, number in sorted(zip(ranks, sampled, strict=True))]
    return [[number for number in best_first if evidence(number, judged)] for judged in sampled]


@torch.no_grad()
def judge(reader: torch.nn.Module, rows: Sequence[Sequence[Prompted]], pad_token_id: int) -> torch.Tensor:
    """The mean answer-token loss of each prompt in evaluation mode, float32 (B, M), nats; the mode is put back.

    Prompts that begin alike, as with the question first, have their beginning computed once. Batches are of like
    lengths, so that little is padding, and of few tokens, so that memory does not grow with B and M.

    Args:
        reader: a causal language model of transformers.
        rows: M prompts for each of B questions.
        pad_token_id: of its tokenizer.
    """
    training = reader.training
    reader.eval()
    shared = [common_beginning(row) for row in rows]
    if processes.is_sharded(reader):
        # Every process must call a sharded model equally often.
        losses = _judge_whole(reader, rows, [list(range(len(rows) * len(rows[0])))], pad_token_id)
    elif _saved_share(rows, shared) >= WORTH_SHARING:
        losses = _judge_after_beginnings(reader, rows, shared, pad_token_id)
    else:
        groups = by_length([_tokens(item) for row in rows for item in row], JUDGED_TOKENS)
        losses = _judge_whole(reader, rows, groups, pad_token_id)
    reader.train(training)
    return losses.view(len(rows), -1)


def _judge_whole(
    reader: torch.nn.Module, rows: Sequence[Sequence[Prompted]], groups: list[list[int]], pad_token_id: int
) -> torch.Tensor:
    items, device = [item for row in rows for item in row], next(reader.parameters()).device
    batches = (pad([items[number] for number in group], pad_token_id).to(device) for group in groups)
    return _in_order([answer_losses(reader, batch) for batch in batches], groups)


def _judge_after_beginnings(
    reader: torch.nn.Module, rows: Sequence[Sequence[Prompted]], shared: Sequence[int], pad_token_id: int
) -> torch.Tensor:
    device, many = next(reader.parameters()).device, len(rows[0])
    groups = by_length([many * max(map(_tokens, row)) for row in rows], JUDGED_TOKENS)
    losses = []
    for group in groups:
        beginnings = pad([Prompted(rows[n][0].prompt_ids[: shared[n]], ()) for n in group], pad_token_id)
        rest = pad(
            [Prompted(item.prompt_ids[shared[n] :], item.answer_ids) for n in group for item in rows[n]],
            pad_token_id,
        )
        found = answer_losses_after(reader, beginnings.to(device), rest.to(device), many)
        losses.append(found.view(len(group), many))
    return _in_order(losses, groups)


def _in_order(losses: list[torch.Tensor], groups: list[list[int]]) -> torch.Tensor:
    """Losses of groups in the order of their numbers."""
    back = torch.tensor([number for group in groups for number in group]).argsort()
    return torch.cat(losses)[back.to(losses[0].device)]


def _saved_share(rows: Sequence[Sequence[Prompted]], shared: Sequence[int]) -> float:
    """How much of all tokens need not be computed where each row's beginning, of `shared` tokens, is computed once."""
    saved = sum(tokens * (len(row) - 1) for row, tokens in zip(rows, shared, strict=True))
    return saved / sum(_tokens(item) for row in rows for item in row)


def _tokens(item: Prompted) -> int:
    return len(item.prompt_ids) + len(item.answer_ids)
