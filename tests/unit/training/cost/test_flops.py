"""Tokens and operations that reach the models."""

from __future__ import annotations

import pytest
import torch

from jmlr.models.adapters import add_lora
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted
from jmlr.models.reader import answer_token_losses
from jmlr.settings import LoraSettings
from jmlr.training.cost.flops import Size, TokenCounter, encoders_of, measure_size

ROWS = torch.tensor([0, 3, 7])


def test_a_llamas_size_by_hand(make_tiny_reader):
    """A layer: queries and outputs 32 x 32, keys and values 32 x 16, three 32 x 48 of the MLP, two norms of 32."""
    reader = make_tiny_reader()
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48 + 2 * 32
    assert measure_size(reader.get_decoder()) == Size(2 * layer + 32, 2 * layer + 32)


def test_adapters_train_little_and_their_base_counts(make_joint, make_tiny_reader):
    model = make_joint("rag")
    whole = measure_size(model.reader.get_decoder()).parameters
    lora = LoraSettings(rank=2, alpha=4, dropout=0.0, targets=("q_proj",))
    model.reader = add_lora(make_tiny_reader(), lora)
    size = measure_size(encoders_of(model)["reader"])
    adapters, norms = 2 * (32 * 2 + 2 * 32), 5 * 32
    assert size == Size(whole + adapters, adapters + norms)


def test_padding_does_not_count_and_gradient_tells_trained_from_scored(make_joint):
    model = make_joint("closed_book")
    counter = TokenCounter(model)
    batch = pad([Prompted((5, 6, 7), (8,)), Prompted((5,), (8,))], 0)
    answer_token_losses(model.reader, batch)
    with torch.no_grad():
        answer_token_losses(model.reader, pad([Prompted((5, 6), (7,))], 0))
    size = counter.sizes["reader"].parameters
    expected = {"reader_trained_tokens": 6, "reader_scored_tokens": 3, "flops": 6 * size * 6 + 2 * size * 3}
    assert counter.take() == expected
    assert counter.take() == {"reader_trained_tokens": 0, "reader_scored_tokens": 0, "flops": 0}
    counter.close()
    answer_token_losses(model.reader, batch)
    assert counter.take()["flops"] == 0


@pytest.mark.parametrize(("arm", "retriever_trains"), [("rag", False), ("jmlr", True)])
def test_a_joint_step_is_counted_in_both_models(make_joint, arm, retriever_trains):
    model = make_joint(arm).train()
    counter = TokenCounter(model)
    model(rows=ROWS, draw_seed=1)
    work = counter.take()
    assert (work["retriever_trained_tokens"] > 0) == retriever_trains
    assert (work["retriever_scored_tokens"] > 0) == (not retriever_trains)
    assert work["reader_trained_tokens"] > 0
    assert (work["reader_scored_tokens"] > 0) == (arm == "jmlr")
    reader, retriever = counter.sizes["reader"], counter.sizes["retriever"]
    assert work["flops"] == reader.flops(work["reader_trained_tokens"], work["reader_scored_tokens"]) + retriever.flops(
        work["retriever_trained_tokens"], work["retriever_scored_tokens"]
    )
