"""Seeds of single draws, made of the one seed of the settings."""

from __future__ import annotations

from jmlr.fingerprint import of_json


def seed_of(seed: int, purpose: str, *numbers: int) -> int:
    """A seed of 32 bits for one purpose, and for one step or pass of it, independent of all others.

    Sums do not do: the second pass of seed 1 would be the first pass of seed 2. torch looks at 32 bits only.

    Args:
        seed: of the settings.
        purpose: what is drawn.
        numbers: which time it is drawn: a pass, a step, a process.

    >>> seed_of(1, "order of questions", 1) == seed_of(2, "order of questions", 0)
    False
    """
    return int(of_json([seed, purpose, *numbers])[:8], 16)
