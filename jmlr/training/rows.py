"""Which questions each step of each process takes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Dataset, Sampler

from jmlr.seeds import seed_of


class Rows(Dataset[int]):
    """Question numbers; the model holds the questions."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


class StepRows(Sampler[list[int]]):
    """The question numbers of every step of one process, all steps of the training one after another.

    Each pass over the questions has an order of its own, decided by seed and pass alone. A step takes the next
    `per_step` questions, over all processes; what is left of a pass, less than that, waits for another pass. With fewer
    questions than that a step takes them all, once. Processes share a step evenly, none a question of another's.

    >>> [list(StepRows(3, 8, 1, seed=1, share=(rank, 2))) for rank in (0, 1)]
    [[[0]], [[1, 2]]]

    Args:
        questions: how many there are.
        per_step: B, over all processes.
        steps: of the training.
        seed: of the order.
        share: number of this process and how many there are; at most `per_step` and `questions`.
    """

    def __init__(self, questions: int, per_step: int, steps: int, *, seed: int, share: tuple[int, int]) -> None:
        self._questions, self._steps, self._seed = questions, steps, seed
        self._size = min(per_step, questions)
        self._rank, self._processes = share

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        per_pass = self._questions // self._size
        order: list[int] = []
        for step in range(self._steps):
            turn, place = divmod(step, per_pass)
            if place == 0:
                generator = torch.Generator().manual_seed(seed_of(self._seed, "order of questions", turn))
                order = torch.randperm(self._questions, generator=generator).tolist()
            batch = order[place * self._size : (place + 1) * self._size]
            first, end = (len(batch) * rank // self._processes for rank in (self._rank, self._rank + 1))
            yield batch[first:end]
