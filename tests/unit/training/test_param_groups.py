"""Every trainable parameter in exactly one group, with its component's rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jmlr.errors import TrainingFailed
from jmlr.training.param_groups import count_parameters, group_parameters


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        self.retriever = nn.Linear(3, 2)
        self.reader[0].requires_grad_(False)


@pytest.fixture
def settings(make_train_settings):
    return make_train_settings()


def test_each_trainable_parameter_is_in_one_group(settings):
    pair = Pair()
    groups = group_parameters(pair, settings)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trainable = [id(parameter) for parameter in pair.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trainable)
    assert len(set(grouped)) == len(grouped)


def test_each_component_has_its_own_rate(settings):
    rates = {group["component"]: group["lr"] for group in group_parameters(Pair(), settings)}
    assert rates == {"reader": 1e-3, "retriever": 1e-4}


def test_a_frozen_component_has_no_group(settings):
    pair = Pair()
    pair.retriever.requires_grad_(False)
    assert [group["component"] for group in group_parameters(pair, settings)] == ["reader"]


def test_a_stray_parameter_is_refused(settings):
    pair = Pair()
    pair.gate = nn.Parameter(torch.zeros(1))
    with pytest.raises(TrainingFailed, match="parameter gate belongs to no component"):
        group_parameters(pair, settings)


def test_counts():
    assert count_parameters(Pair()) == {
        "reader": {"trainable": 12, "frozen": 12}, "retriever": {"trainable": 8, "frozen": 0},
    }  # fmt: skip


def test_tied_weights_are_grouped_once(settings, make_tiny_reader):
    pair = nn.Module()
    pair.reader = make_tiny_reader(tie_word_embeddings=True)
    (group,) = group_parameters(pair, settings)
    assert len({id(parameter) for parameter in group["params"]}) == len(group["params"])
    assert count_parameters(pair)["reader"]["trainable"] == pair.reader.num_parameters()


def test_what_would_train_in_low_precision_is_refused(settings):
    pair = Pair()
    pair.reader.bfloat16()
    with pytest.raises(TrainingFailed, match=r"reader\.1\.weight, reader\.1\.bias \(2 .*; expected float32"):
        group_parameters(pair, settings)
