"""Which questions each step of each process takes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from jmlr.seeds import seed_of


def rows_of_steps(questions: int, per_step: int, *, seed: int, share: tuple[int, int]) -> Iterator[torch.Tensor]:
    """The question numbers that one process takes at each step, int64 (B,), from the first step on, without end.

    Each pass over the questions has an order of its own, decided by seed and pass alone. A step takes the next
    `per_step` questions, over all processes. What is left of a pass, less than that, waits for another pass. With fewer
    questions than that a step takes them all, once. Processes share a step evenly; no two take the same question.

    >>> [next(rows_of_steps(3, 8, seed=1, share=(rank, 2))).tolist() for rank in (0, 1)]
    [[0], [1, 2]]

    Args:
        questions: how many there are.
        per_step: B, over all processes.
        seed: of the order.
        share: number of this process and how many there are; at most `per_step` and `questions`.
    """
    size, (rank, together) = min(per_step, questions), share
    first, end = (size * number // together for number in (rank, rank + 1))
    turn = 0
    while True:
        generator = torch.Generator().manual_seed(seed_of(seed, "order of questions", turn))
        order = torch.randperm(questions, generator=generator)
        for start in range(0, questions - size + 1, size):
            yield order[start + first : start + end]
        turn += 1
