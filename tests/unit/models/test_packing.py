"""Packing changes the cost and nothing else: every answer has the loss of a row of its own."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_close

from jmlr.models import reader as readers
from jmlr.models.packing import pack, pad
from jmlr.models.prompt import IGNORED, Prompted

pytestmark = pytest.mark.numerical

CONTEXT = (1, 20, 21, 22, 23, 24, 25)
ROWS = [
    [
        Prompted((*CONTEXT, 30, 31), (40, 41, 2)),
        Prompted((*CONTEXT, 32), (42, 2)),
        Prompted((*CONTEXT, 33, 34, 35), (2,)),
    ],
    [Prompted((1, 50, 51), (60, 2)), Prompted((1, 52), (61, 62, 2))],
    [Prompted((1, 70, 71, 72), (73, 2))],
    [Prompted((1, 80, 81), (82, 2)), Prompted((1, 80, 81), (83, 84, 2))],
]
ITEMS = [item for row in ROWS for item in row]


@pytest.fixture
def reader(make_tiny_reader):
    return make_tiny_reader(attention_bias=True)


def alone(reader: torch.nn.Module, items: list[Prompted]) -> torch.Tensor:
    """Answer-token losses of prompts each in a batch of its own."""
    return torch.cat([readers.answer_token_losses(reader, pad([item], 0))[0] for item in items])


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [[item] for item in ITEMS]])
def test_every_answer_token_has_the_loss_of_a_row_of_its_own(reader, rows):
    items = [item for row in rows for item in row]
    losses, numbers = readers.packed_answer_losses(reader, pack(rows))
    assert_close(losses, alone(reader, items))
    assert numbers.tolist() == [number for number, item in enumerate(items) for _ in item.answer_ids]
    assert losses.std() > 0.01


@pytest.mark.parametrize("attention", ["sdpa", "eager", "shifted_sparse"])
def test_every_attention_that_a_reader_can_have_keeps_prompts_apart(make_tiny_reader, attention):
    readers.shifted_sparse_attention.register()
    losses, _ = readers.packed_answer_losses(make_tiny_reader(attention=attention), pack(ROWS))
    assert_close(losses, alone(make_tiny_reader(), ITEMS))


def test_means_by_prompt_equal_those_of_single_rows(reader):
    means = readers.mean_by_item(*readers.packed_answer_losses(reader, pack(ROWS)))
    assert_close(means, readers.answer_losses(reader, pad(ITEMS, 0)))


@pytest.mark.parametrize("attention", ["sdpa", "eager", "shifted_sparse"])
def test_beginnings_computed_once_give_the_same_losses(make_tiny_reader, attention):
    readers.shifted_sparse_attention.register()
    beginnings = [CONTEXT, (1, 50)]
    rest = [
        [Prompted((30, 31), (40, 41, 2)), Prompted((32,), (42, 2)), Prompted((33, 34, 35), (2,))],
        [Prompted((51,), (60, 2)), Prompted((52, 53, 54, 55), (61, 62, 2)), Prompted((56,), (63,))],
    ]
    whole = [
        Prompted((*beginning, *item.prompt_ids), item.answer_ids)
        for beginning, row in zip(beginnings, rest, strict=True)
        for item in row
    ]
    found = readers.answer_losses_after(
        make_tiny_reader(attention=attention),
        pad([Prompted(beginning, ()) for beginning in beginnings], 0),
        pad([item for row in rest for item in row], 0),
        3,
    )
    with torch.no_grad():
        assert_close(found, readers.answer_losses(make_tiny_reader(), pad(whole, 0)))
    assert found.std() > 0.01


def test_a_prompt_sees_no_other_prompt(reader):
    changed = [[ROWS[0][0], Prompted((*CONTEXT, 90, 91, 92), (93, 94, 2)), ROWS[0][2]]]
    before, after = (readers.packed_answer_losses(reader, pack(rows))[0] for rows in (ROWS[:1], changed))
    assert_close(after[:3], before[:3])
    assert_close(after[-1:], before[-1:])


def test_gradient_is_finite_with_padding_and_equal_to_single_rows(reader):
    readers.packed_answer_losses(reader, pack(ROWS))[0].mean().backward()
    packed = {name: parameter.grad.clone() for name, parameter in reader.named_parameters()}
    reader.zero_grad()
    alone(reader, ITEMS).mean().backward()
    for name, parameter in reader.named_parameters():
        assert_close(packed[name], parameter.grad)


def test_bfloat16_weights_give_float32_losses(reader):
    losses, _ = readers.packed_answer_losses(reader.bfloat16(), pack(ROWS))
    assert losses.dtype == torch.float32
    assert losses.isfinite().all()


def test_the_common_beginning_is_written_once():
    batch = pack(ROWS[:1])
    assert batch.input_ids.shape[1] == len(CONTEXT) + sum(
        len(item.prompt_ids) - len(CONTEXT) + len(item.answer_ids) for item in ROWS[0]
    )
    assert batch.items[0, : len(CONTEXT)].tolist() == [-1] * len(CONTEXT)
    assert int((batch.labels != IGNORED).sum()) == 6


def test_means_by_item_do_not_depend_on_order():
    losses, items = torch.tensor([1.0, 5.0, 3.0, 7.0]), torch.tensor([1, 0, 1, 0])
    assert readers.mean_by_item(losses, items).tolist() == [6.0, 2.0]
