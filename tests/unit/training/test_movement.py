"""Gradient norms and weight changes, worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jmlr.errors import TrainingFailed
from jmlr.training.movement import WeightChange, gradient_norms, require_movement


@pytest.fixture
def pair():
    module = nn.Module()
    module.reader, module.retriever = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
    module.reader.weight.data = torch.tensor([[3.0, 4.0]])
    module.retriever.weight.data = torch.tensor([[0.0, 2.0]])
    return module


def test_gradient_norms_by_component(pair):
    assert gradient_norms(pair) == {}
    pair.reader.weight.grad = torch.tensor([[6.0, 8.0]])
    assert gradient_norms(pair) == {"reader_gradient_norm": pytest.approx(10.0)}
    pair.retriever.weight.grad = torch.tensor([[0.0, -1.0]])
    assert gradient_norms(pair)["retriever_gradient_norm"] == pytest.approx(1.0)


def test_weight_change_is_relative_to_the_start(pair):
    change = WeightChange(pair)
    still = {"reader": 0.0, "reader_layers": 0.0, "retriever": 0.0, "retriever_layers": 0.0}
    assert change.measure(pair) == {f"{name}_weight_change": value for name, value in still.items()}
    pair.reader.weight.data += torch.tensor([[0.3, 0.4]])
    assert change.measure(pair)["reader_weight_change"] == pytest.approx(0.1)
    assert change.measure(pair)["retriever_weight_change"] == 0.0


def test_what_is_frozen_is_not_measured(pair):
    pair.retriever.requires_grad_(False)
    assert set(WeightChange(pair).measure(pair)) == {"reader_weight_change", "reader_layers_weight_change"}


def test_each_part_is_measured_by_itself(pair):
    pair.reader = nn.ModuleDict({"wte": nn.Embedding(4, 2), "ln_f": nn.LayerNorm(2), "c_proj": nn.Linear(2, 2)})
    change = WeightChange(pair)
    for start, moved in ((pair.reader["wte"].weight, 0.5), (pair.reader["ln_f"].bias, 0.1)):
        start.data += moved
    found = change.measure(pair)
    # The norm's weights are two ones, its biases zeros.
    assert found["reader_norms_weight_change"] == pytest.approx(0.1)
    assert found["reader_embeddings_weight_change"] > 0
    assert found["reader_layers_weight_change"] == 0
    with pytest.raises(TrainingFailed, match="although it trains: reader's layers, retriever, retriever's layers"):
        require_movement(found, ["reader"])


def test_what_started_at_zero_moves_too(pair):
    pair.reader.weight.data.zero_()
    change = WeightChange(pair)
    pair.reader.weight.data += 1e-9
    assert change.measure(pair)["reader_weight_change"] == 1.0


def test_a_component_that_must_train_and_is_frozen_is_named(pair):
    pair.retriever.requires_grad_(False)
    change = WeightChange(pair)
    pair.reader.weight.data += 1
    require_movement(change.measure(pair), ["reader"])
    with pytest.raises(TrainingFailed, match="did not move although it trains: retriever;"):
        require_movement(change.measure(pair), ["reader", "retriever"])
