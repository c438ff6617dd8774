"""Each training question's pool of candidates, and the stored passage embeddings that score it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from tqdm import tqdm

from jmlr.index.embeddings import StoredEmbeddings, TokenVectors
from jmlr.index.exact import score_all
from jmlr.index.fusion import FUSED_DEPTH, PassageSearch, fuse
from jmlr.models.maxsim import maxsim
from jmlr.models.retriever import Retriever
from jmlr.training import processes
from jmlr.training.one_copy import one_copy
from jmlr.types import Hit, Passage, Question

PASSAGES_PER_BATCH = 64


class PassageStore(TokenVectors):
    """Vectors of all passages without gradient: one copy on a machine, whichever processes read it."""

    @classmethod
    @torch.no_grad()
    def encode(cls, retriever: Retriever, texts: Sequence[str], progress: str = "") -> PassageStore:
        """All texts encoded by the retriever as it is now, in batches of similar length."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        starts = range(0, len(order), PASSAGES_PER_BATCH)
        parts: list[tuple[torch.Tensor, ...]] = []
        for start in tqdm(starts, desc=progress, disable=not progress, unit="batch", leave=False):
            vectors, mask = retriever.encode_passages([texts[n] for n in order[start : start + PASSAGES_PER_BATCH]])
            parts.append((vectors[mask].half().cpu(), mask.sum(1).cpu(), mask.nonzero()[:, 1].short().cpu()))
        vectors, lengths, places = (torch.cat(some) for some in zip(*parts, strict=True))
        back = torch.tensor(order).argsort()
        rows = cls(vectors, lengths).rows(back)
        return cls(vectors[rows], lengths[back], places[rows])

    @classmethod
    def encode_together(cls, retriever: Retriever, texts: Sequence[str], progress: str = "") -> PassageStore:
        """As `encode`, each process doing its share; every process must call this, and gets all embeddings.

        A sharded retriever, which all processes must call equally often, encodes all texts in each.

        Raises:
            MissingResource: if the temporary folder has no room for the copy that all read.
        """
        together, number = processes.world_size(), processes.rank()
        if together == 1 or len(texts) < together:
            return cls.encode(retriever, texts, progress)
        if processes.is_sharded(retriever):
            together, number = 1, 0
        own = cls.encode(retriever, texts[number::together], progress)
        shares = processes.gather((own.lengths, own.places))[:together]
        lengths = torch.empty(len(texts), dtype=torch.long)
        for first, (some, _) in enumerate(shares):
            lengths[first::together] = some
        rows = [cls(own.vectors, lengths).rows(torch.arange(first, len(texts), together)) for first in range(together)]
        places = torch.empty(int(lengths.sum()), dtype=torch.short)
        for some, (_, own_places) in zip(rows, shares, strict=True):
            places[some] = own_places
        given = processes.by_turns(own.vectors) if together > 1 else [own.vectors]
        shape = len(places), own.vectors.shape[1]
        return cls(one_copy(zip(rows, given, strict=True), shape), lengths, places)

    @classmethod
    def from_index(cls, stored: StoredEmbeddings) -> PassageStore:
        """The embeddings an index stores, of all its passages in their order, memory-mapped."""
        return cls(stored.tokens.vectors, stored.tokens.lengths)

    def state(self) -> dict[str, torch.Tensor]:
        """The tensors by name, for a file."""
        found = {"vectors": self.vectors, "lengths": self.lengths}
        return found if self.places is None else {**found, "places": self.places}

    @torch.no_grad()
    def score(self, queries: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """MaxSim of queries (B, Q, H) with the passages numbered `places` (B, K): float32 (B, K), -inf where < 0."""
        scores = maxsim(queries.detach().float(), *self.padded(places.clamp_min(0)))
        return scores.masked_fill(places < 0, float("-inf"))

    @torch.no_grad()
    def score_all(self, queries: torch.Tensor) -> torch.Tensor:
        """MaxSim of queries (B, Q, H) with all passages: float32 (B, N), under autocast too."""
        with torch.autocast(queries.device.type, enabled=False):
            return score_all(self, queries.detach().float())

    def search(self, queries: torch.Tensor, count: int) -> torch.Tensor:
        """Numbers of the `count` best passages of all for each query (B, Q, H): int64 (B, count), best first."""
        return best(self.score_all(queries), count)


def best(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Places of the `count` best scores of each row, best first; equal ones in the order of their places.

    >>> best(torch.tensor([[1.0, 3.0, 3.0]]), 2).tolist()
    [[1, 2]]
    """
    return scores.argsort(dim=1, descending=True, stable=True)[:, :count]


class Pools:
    """Candidates of the training questions.

    The first generation, candidates and embeddings, comes from the index of the stage before. After a refresh all
    passages are encoded anew, and a question's pool is searched anew when it is next asked for.

    Args:
        questions: of the training.
        passages: all, in the order of `store`.
        candidates: the first generation's pools by question id, best first.
        store: the first generation's embeddings.
        size: K.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        passages: Sequence[Passage],
        candidates: Mapping[str, Sequence[Hit]],
        store: PassageStore,
        size: int,
    ) -> None:
        self.size, self.store, self.generation = size, store, 1
        self.texts = [passage.indexed_text for passage in passages]
        self._ids = [passage.passage_id for passage in passages]
        self._asked = [question.text for question in questions]
        self._by_words: list[list[str]] | None = None
        self._number_of = number_of = {passage.passage_id: number for number, passage in enumerate(passages)}
        self._places = torch.full((len(questions), size), -1)
        for row, question in enumerate(questions):
            numbers = [number_of[hit.passage_id] for hit in candidates.get(question.question_id, ())][:size]
            self._places[row, : len(numbers)] = torch.tensor(numbers, dtype=torch.long)
        self._current = torch.ones(len(questions), dtype=torch.bool)
        self._tops: list[int] = []

    def fuse_with(self, bm25: PassageSearch) -> None:
        """Pools are searched and ordered as a hybrid's answers from now on, or the reader would learn another order."""
        found = bm25.search(self._asked, FUSED_DEPTH)
        self._by_words = [[hit.passage_id for hit in hits] for hits in found]

    def refresh(self, retriever: Retriever) -> None:
        """Encodes all passages with the retriever as it is now; every pool is searched anew at its next use."""
        self.store = PassageStore.encode_together(retriever, self.texts, "refreshing passages")
        self._current.fill_(False)
        self.generation += 1

    def state(self) -> dict[str, torch.Tensor]:
        """Each question's pool, and whether it is of this generation, for a file; the store is kept apart."""
        return {"places": self._places, "current": self._current}

    def restore(self, state: Mapping[str, torch.Tensor], store: PassageStore, generation: int) -> None:
        """Takes what `state` gave, with the store of the same generation."""
        self._places, self._current = state["places"], state["current"]
        self.store, self.generation = store, generation

    def share(self, rows: torch.Tensor) -> float:
        """Tells the other processes the pools of the questions numbered `rows`, just scored, and takes theirs.

        A question may be another process's at its next turn, and must keep its pool until the next refresh.

        Returns:
            the number of different best passages over the number of questions, those of all processes together.
        """
        rows, tops = rows.cpu(), []
        given = (rows, self._places[rows], self._current[rows], self._tops)
        for numbers, places, current, some in processes.gather(given):
            self._places[numbers], self._current[numbers] = places, current
            tops += some
        return len(set(tops)) / len(tops)

    def scored(self, rows: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pools of the questions numbered `rows` and their scores under live queries, best first.

        Args:
            rows: int64 (B,) question numbers.
            queries: (B, Q, H) live query embeddings.

        Returns:
            passage numbers int64 (B, K), -1 where a pool is smaller; scores float32 (B, K), -inf there.
        """
        rows = rows.cpu()
        old = ~self._current[rows]
        if old.any():
            depth = self.size if self._by_words is None else max(self.size, FUSED_DEPTH)
            found = self.store.search(queries[old.to(queries.device)], depth).cpu()
            if self._by_words is not None:
                pairs = zip(rows[old].tolist(), found.tolist(), strict=True)
                found = torch.tensor([self._fused(*pair)[: self.size] for pair in pairs])
            self._places[rows[old], : found.shape[1]] = found
            self._current[rows[old]] = True
        places = self._places[rows].to(queries.device)
        scores, order = self.store.score(queries, places).sort(dim=1, descending=True, stable=True)
        places = places.gather(1, order)
        self._tops = places[:, 0].tolist()
        if self._by_words is not None:
            pairs = zip(rows.tolist(), places.tolist(), strict=True)
            order = torch.tensor([self._order(*pair) for pair in pairs])
            places, scores = (each.gather(1, order.to(each.device)) for each in (places, scores))
        return places, scores

    def _fused(self, row: int, numbers: Sequence[int]) -> list[int]:
        """Passages of a ranking of the retriever and of BM25's of question `row`, best first by reciprocal rank."""
        if self._by_words is None:
            return list(numbers)
        ranking, words = [self._ids[number] for number in numbers], self._by_words[row]
        return [self._number_of[hit.passage_id] for hit in fuse([ranking, words], len(ranking) + len(words))]

    def _order(self, row: int, pool: Sequence[int]) -> list[int]:
        """Columns of a pool, the retriever's best first, in the order in which an answer would read them."""
        place = {number: column for column, number in enumerate(pool) if number >= 0}
        known = [place[number] for number in self._fused(row, list(place)) if number in place]
        return [*known, *range(len(known), len(pool))]
