"""Every draw has a seed of its own: other seeds, passes and purposes share nothing."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
import yaml

from jmlr.errors import ConfigError
from jmlr.seeds import seed_of
from jmlr.settings import params
from jmlr.training.rows import rows_of_steps


def test_no_two_purposes_times_or_seeds_share_a_seed():
    made = [seed_of(seed, what, time) for seed in range(40) for what in ("order", "draw") for time in range(40)]
    assert len(set(made)) == len(made)
    assert seed_of(3, "order", 2) == seed_of(3, "order", 2)
    # Else torch, which looks at 32 bits only, would draw for two seeds alike.
    assert all(0 <= one < 2**32 for one in made)


def test_neighbouring_seeds_share_no_order_of_questions():
    def passes(seed: int) -> list[list[int]]:
        steps = [rows.tolist() for rows in islice(rows_of_steps(24, 8, seed=seed, share=(0, 1)), 30)]
        return [sum(steps[first : first + 3], []) for first in range(0, 30, 3)]

    orders = [tuple(order) for seed in (1, 2, 3) for order in passes(seed)]
    assert len(set(orders)) == 30
    assert all(sorted(order) == list(range(24)) for order in orders)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_every_seed_of_the_settings_works_to_the_end(repository, seed):
    raw = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    accepted = params.parse({**raw, "seed": seed}).seed
    with torch.random.fork_rng():
        torch.manual_seed(accepted)
    assert len(list(islice(rows_of_steps(5, 2, seed=accepted, share=(0, 1)), 4))) == 4


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_refuses_is_refused_at_load(repository, seed):
    raw = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    with pytest.raises(ConfigError, match="seed: Input should be"):
        params.parse({**raw, "seed": seed})
