"""How far the live retriever's ranking has drifted from the stored one."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from jmlr.models.retriever import Retriever
from jmlr.settings import RefreshDriftSettings
from jmlr.training.pools import PassageStore, best
from jmlr.types import Question

QUESTIONS_PER_SCORING = 8


class Drift:
    """Overlap@k of two rankings of all passages, on a sample of questions that stays the same.

    The stored ranking is the one at the last refresh: its retriever's questions against its embeddings. The live one
    scores with the retriever as it is now: live questions against live embeddings of the passages that are in a stored
    top k of the sample, and against the stored embeddings of all others, whose encoding would be a refresh already.
    So it sees passages leave a top k because question or passage moved, but none enter because it moved itself.

    Args:
        questions: of the training.
        texts: of all passages, in the order of the store.
        settings: k and the size of the sample.
        seed: of the sample.
    """

    def __init__(
        self, questions: Sequence[Question], texts: Sequence[str], settings: RefreshDriftSettings, seed: int
    ) -> None:
        count = min(settings.sample_questions, len(questions))
        self._questions = [question.text for question in random.Random(seed).sample(list(questions), count)]
        self._texts, self._k = texts, settings.overlap_at

    def ranking(self, retriever: Retriever, store: PassageStore) -> list[list[int]]:
        """Numbers of each sampled question's top k passages in the store, best first."""
        return best(self._scores(retriever, store), self._k).tolist()

    def overlap(self, retriever: Retriever, store: PassageStore, stored: list[list[int]]) -> float:
        """Share of the `stored` top k that is in the live top k, mean over the sampled questions, 0 to 1."""
        scores = self._scores(retriever, store)
        again = sorted({number for row in stored for number in row})
        live = PassageStore.encode(retriever, [self._texts[number] for number in again])
        scores[:, again] = self._scores(retriever, live)
        return mean_overlap(stored, best(scores, self._k).tolist())

    @torch.no_grad()
    def _scores(self, retriever: Retriever, store: PassageStore) -> torch.Tensor:
        starts = range(0, len(self._questions), QUESTIONS_PER_SCORING)
        batches = [self._questions[start : start + QUESTIONS_PER_SCORING] for start in starts]
        return torch.cat([store.score_all(retriever.encode_queries(batch)) for batch in batches]).cpu()


def mean_overlap(one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    """Share of each row of `one` that the same row of `other` holds too, mean over rows.

    >>> mean_overlap([[1, 2], [3, 4]], [[2, 1], [4, 5]])
    0.75
    """
    shares = [len(set(row) & set(match)) / len(row) for row, match in zip(one, other, strict=True)]
    return sum(shares) / len(shares)
