"""BM25: passages found by the words they share with a question."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import bm25s
import numpy as np
import Stemmer

from jmlr.index.build import check_passages
from jmlr.types import Hit, Passage
from jmlr.words import search_words

# bm25s asks for every debug message, whatever the application wants.
logging.getLogger("bm25s").setLevel(logging.WARNING)


class Bm25:
    """Ranks passages by BM25 over the stems of their words, in memory; nothing is trained and nothing is saved.

    Words are runs of letters and digits, those of one letter too: bm25s's own pattern drops them, and with them what
    tells hepatitis B from hepatitis C. In scripts without spaces they are characters and pairs of neighbours. Lucene's
    33 English stop words are left out and English stems compared (Snowball), so that `crystals` finds `crystal`; in
    other languages stop words stay in, and their low weight must do.
    k1 = 1.5 and b = 0.75 are bm25s's defaults and are not tuned on any data set.

    Source: arXiv 2407.03618 (bm25s), its variant `lucene`, whose weights are never negative.

    Args:
        passages: what is searched.

    Raises:
        DataError: if there are no passages or an id comes twice.

    >>> found = Bm25([Passage("p1", "Vitamin D."), Passage("p2", "Vitamin B.")]).search(["Who lacks vitamin B?"], 2)
    >>> [hit.passage_id for hit in found[0]]
    ['p2', 'p1']
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        check_passages(passages)
        # In the order of their ids, so that a stable sort leaves equal scores in that order.
        ordered = sorted(passages, key=lambda passage: passage.passage_id)
        self._passage_ids = [passage.passage_id for passage in ordered]
        self._stemmer = Stemmer.Stemmer("english")
        self._bm25 = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
        words = self._words([passage.indexed_text for passage in ordered])
        with np.errstate(invalid="ignore"):  # bm25s divides by the mean length, 0 where no passage has a word
            self._bm25.index(words, create_empty_token=False, show_progress=False)

    def search(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """The k best passages of each text, best first, equal scores by passage id; no passage twice.

        A text gets fewer than k passages if fewer share a word with it.
        """
        return [self._best(words, k) for words in self._words(texts)]

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = bm25s.tokenize(
            [" ".join(search_words(text)) for text in texts],
            token_pattern=r"\S+",
            stopwords="english",
            stemmer=self._stemmer,
            return_ids=False,
            show_progress=False,
        )
        return found

    def _best(self, words: list[str], k: int) -> list[Hit]:
        known = self._bm25.get_tokens_ids(words)
        if not known:
            return []
        scores = self._bm25.get_scores_from_ids(known)
        least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else 0.0
        places = np.flatnonzero((scores >= least) & (scores > 0))
        best = places[np.argsort(-scores[places], kind="stable")[:k]]
        return [Hit(self._passage_ids[place], float(scores[place])) for place in best]
