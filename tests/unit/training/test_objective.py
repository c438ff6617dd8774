"""The settings choose the objective, its form and its weight."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from jmlr.losses.distribution import emdr2_loss, loop_loss, pdist_loss, replug_lsr_loss
from jmlr.losses.llm_rank import llm_rank_loss, scale_minmax
from jmlr.settings import ObjectiveSettings
from jmlr.training.objective import retriever_loss

pytestmark = pytest.mark.numerical

SCORES = torch.tensor([[10.0, 12.0, 11.0], [3.0, 1.0, 9.0]])
LOSSES = torch.tensor([[0.5, 0.2, 2.0], [1.0, 3.0, 0.7]])
PLAIN = ObjectiveSettings(
    name="llm_rank", scores="raw", pair_weight="uniform", temperature=1.0, beta=3.0, weight=1.0
)  # fmt: skip


def under(**changes) -> float:
    return retriever_loss(PLAIN.model_copy(update=changes), SCORES, LOSSES).item()


def test_raw_and_minmax_scores():
    assert under() == pytest.approx(llm_rank_loss(SCORES, LOSSES, pair_weight="uniform").item())
    scaled = llm_rank_loss(scale_minmax(SCORES), LOSSES, pair_weight="uniform").item()
    assert under(scores="minmax") == pytest.approx(scaled)
    assert scaled != pytest.approx(under())


def test_temperature_beta_and_pair_weight_reach_the_loss():
    expected = llm_rank_loss(SCORES, LOSSES, pair_weight="likelihood_gap", temperature=0.5, beta=2.0).item()
    assert under(pair_weight="likelihood_gap", temperature=0.5, beta=2.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "function"),
    [("pdist", pdist_loss), ("emdr2", emdr2_loss), ("loop", loop_loss), ("replug_lsr", replug_lsr_loss)],
)
def test_the_name_chooses_the_loss(name, function):
    expected = function(SCORES, LOSSES, temperature=2.0, beta=0.5).item()
    assert under(name=name, temperature=2.0, beta=0.5) == pytest.approx(expected)
    assert expected != pytest.approx(under(temperature=2.0, beta=0.5))


def test_every_name_of_the_settings_has_a_loss():
    names = get_args(ObjectiveSettings.model_fields["name"].annotation)
    values = [under(name=name, beta=0.5) for name in names]
    assert len({round(value, 5) for value in values}) == len(names) == 5


@pytest.mark.parametrize("name", ["llm_rank", "pdist", "emdr2", "loop", "replug_lsr"])
def test_weight_multiplies(name):
    assert under(name=name, weight=10.0) == pytest.approx(10 * under(name=name))
