"""The retriever's losses: a line for each, with its name and the evidence that it needs. This file imports no torch.

A new loss is a function in this folder, a line here, and a test.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

Evidence = Callable[[int, int], bool]
"""Whether the reader is given the first passage, by its number, while it judges the second."""
alone: Evidence = operator.eq
all_but_one: Evidence = operator.ne


@dataclass(frozen=True)
class Loss:
    """A loss of the retriever.

    Attributes:
        function: its module below jmlr.losses and its name. It takes scores and the reader's losses, (B, M) each, and
            the settings below by their names; it returns a scalar.
        evidence: how the reader judges a passage: given it alone, or all sampled passages but it.
        settings: keys of train.objective that it takes.
    """

    function: str
    evidence: Evidence = alone
    settings: tuple[str, ...] = ("temperature", "beta")


LOSSES = {
    "llm_rank": Loss("llm_rank.llm_rank_loss", settings=("pair_weight", "temperature", "beta")),
    "pdist": Loss("distribution.pdist_loss"),
    "emdr2": Loss("distribution.emdr2_loss"),
    "loop": Loss("distribution.loop_loss", evidence=all_but_one),
    "replug_lsr": Loss("distribution.replug_lsr_loss"),
}
"""By the names that train.objective.name takes."""
