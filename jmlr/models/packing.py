"""Prompts as batches: a row each, or those that begin alike in one row, their common beginning only once.

Attention is causal; what follows the common beginning of a prompt sees that beginning and itself but no other prompt,
and its positions go on where the beginning ends. So every answer gets the hidden states, and the loss, that it would
get in a row of its own, for a fraction of the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from jmlr.models.prompt import IGNORED, Prompted

_PADDING = -1


@dataclass(frozen=True)
class PackedBatch:
    """N rows of T tokens.

    Attributes:
        input_ids: int64 (N, T).
        position_ids: int64 (N, T).
        labels: int64 (N, T), IGNORED except on answers.
        items: int64 (N, T), which prompt of all rows a token belongs to; -1 for common beginnings and padding.
        visible: bool (N, 1, T, T), which keys a query sees.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    items: torch.Tensor
    visible: torch.Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """The same on `device`."""
        return PackedBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


def pack(rows: Sequence[Sequence[Prompted]]) -> PackedBatch:
    """One padded batch of rows; the prompts of a row share their longest common beginning as the context.

    >>> batch = pack([[Prompted((5, 6, 1), (7,)), Prompted((5, 6, 2), (8,))]])
    >>> batch.input_ids.tolist(), batch.position_ids.tolist()
    ([[5, 6, 1, 7, 2, 8]], [[0, 1, 2, 3, 2, 3]])
    >>> batch.visible[0, 0, 5].tolist()
    [True, True, False, False, True, True]
    """
    flat = [_flatten(row) for row in rows]
    shape = (len(flat), max(len(ids) for ids, _, _, _ in flat))
    input_ids, position_ids = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels, items = torch.full(shape, IGNORED), torch.full(shape, -1)
    blocks = torch.full(shape, _PADDING)
    first_item = 0
    for number, (ids, positions, marks, row_blocks) in enumerate(flat):
        places = (number, slice(len(ids)))
        input_ids[places], position_ids[places] = torch.tensor(ids), torch.tensor(positions)
        labels[places], blocks[places] = torch.tensor(marks), torch.tensor(row_blocks)
        items[places] = torch.where(blocks[places] > 0, blocks[places] - 1 + first_item, -1)
        first_item += len(rows[number])
    query, key = blocks[:, :, None], blocks[:, None, :]
    causal = torch.ones(shape[1], shape[1], dtype=torch.bool).tril()
    # Padding sees itself, so that no row of the softmax is empty.
    visible = causal & ((key == 0) | (key == query))
    return PackedBatch(input_ids, position_ids, labels, items, visible[:, None])


def common_beginning(row: Sequence[Prompted]) -> int:
    """How many tokens the prompts begin with alike; each keeps its last one, which predicts the answer's first.

    >>> common_beginning([Prompted((5, 6, 1), (7,)), Prompted((5, 6), (8,))])
    1
    """
    prompts = [item.prompt_ids for item in row]
    shared = 0
    while shared < min(map(len, prompts)) - 1 and len({prompt[shared] for prompt in prompts}) == 1:
        shared += 1
    return shared


def _flatten(row: Sequence[Prompted]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ids, positions, labels and block numbers of one row; block 0 is the context."""
    shared = common_beginning(row)
    ids, positions = list(row[0].prompt_ids[:shared]), list(range(shared))
    labels, blocks = [IGNORED] * shared, [0] * shared
    for block, item in enumerate(row, start=1):
        own = (*item.prompt_ids[shared:], *item.answer_ids)
        ids += own
        positions += range(shared, shared + len(own))
        labels += [IGNORED] * (len(item.prompt_ids) - shared) + list(item.answer_ids)
        blocks += [block] * len(own)
    return ids, positions, labels, blocks


@dataclass(frozen=True)
class ReaderBatch:
    """Right-padded reader input: three int64 tensors of shape (N, T); labels are IGNORED except on answers."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> ReaderBatch:
        """The same on `device`."""
        return ReaderBatch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device))


def by_length(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Numbers of all items, shortest first, in groups of at most `tokens` once padded; one item always fits.

    >>> by_length([5, 2, 9, 2], tokens=10)
    [[1, 3], [0], [2]]
    """
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        if groups and (len(groups[-1]) + 1) * lengths[number] <= tokens:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def pad(prompted: Sequence[Prompted], pad_token_id: int) -> ReaderBatch:
    """One right-padded batch, padded to the longest item and no further.

    >>> batch = pad([Prompted((5, 6), (7,)), Prompted((5,), (8,))], pad_token_id=0)
    >>> batch.input_ids.tolist(), batch.labels.tolist()
    ([[5, 6, 7], [5, 8, 0]], [[-100, -100, 7], [-100, 8, -100]])
    """
    longest = max(len(item.prompt_ids) + len(item.answer_ids) for item in prompted)
    input_ids = torch.full((len(prompted), longest), pad_token_id)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for row, item in enumerate(prompted):
        prompt, answer = len(item.prompt_ids), len(item.answer_ids)
        input_ids[row, : prompt + answer] = torch.tensor(item.prompt_ids + item.answer_ids)
        attention_mask[row, : prompt + answer] = 1
        labels[row, prompt : prompt + answer] = torch.tensor(item.answer_ids)
    return ReaderBatch(input_ids, attention_mask, labels)
