"""Medical concepts named in texts, found by a dictionary of names; other finders fit the same protocol."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from bm25s.stopwords import STOPWORDS_EN_PLUS

from jmlr import fingerprint
from jmlr.errors import DataError

Words = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019\u02bc]s\b", re.IGNORECASE)
_GREEK = re.compile(r"[\u03b1-\u03c9]")
_LONGEST_ACRONYM = 5
_SHORTEST_NAME = 3
"""Characters of a name of one word, at least."""

_COMMON = frozenset(STOPWORDS_EN_PLUS) | frozenset(
    "acute adult care case cause child chronic condition diagnosis disease disorder doctor drug effect gas health help "
    "illness information injury man medicine outlook overview part patient people person prevention problem result "
    "risk sign symptom syndrome test therapy time treatment type use woman year".split()
)
"""English function words, what a medical page says of every subject, and gas, a title in MedQuAD for flatulence."""


class ConceptExtractor(Protocol):
    """Finds the medical concepts that texts name."""

    def extract(self, texts: Sequence[str], nested: bool = False) -> list[frozenset[str]]:
        """The ids of the concepts each text names, in the order of `texts`.

        Args:
            texts: any texts; an empty one names nothing.
            nested: whether a name inside a longer name counts too ("diabetes" in "gestational diabetes"). No for what
                a text says; yes where a text only has to mention a concept.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What found the concepts, for the result: two results compare only where this is equal."""
        ...


@lru_cache(maxsize=1 << 16)
def _folded(word: str) -> str:
    """A word without case, the s of a plural, and a final e, so that plurals meet singulars.

    Harman's S-stemmer (JASIS 42:7, 1991) with -is for -es and without a final e: diagnoses meet diagnosis. What is
    left need not be a word. Acronyms keep their s: AIDS is not aid. Latin plurals (-ae, -i, -a) are not folded.
    """
    plain = word.casefold()
    if word.isupper() and len(word) <= _LONGEST_ACRONYM:
        return plain
    if len(plain) > 3:
        if word[:-1].isupper() and len(word) <= _LONGEST_ACRONYM + 1:  # STIs
            return plain.removesuffix("s")
        if plain.endswith("ies"):
            plain = plain[:-3] + "y"
        elif plain.endswith("is"):
            plain = plain[:-2]
        elif plain.endswith("s") and not plain.endswith(("ss", "us")):
            plain = plain[:-1]
    return plain[:-1] if len(plain) > 4 and plain.endswith("e") else plain


def _spelled(letter: re.Match[str]) -> str:
    """A Greek letter by its name, as names of concepts write it; Unicode says lamda."""
    return f" {unicodedata.name(letter[0]).split()[-1].lower().replace('lamda', 'lambda')} "


def folded_words(text: str) -> list[str]:
    """The words of a text as names are compared: without case, accents, possessives, hyphens and plurals.

    >>> folded_words("Crohn's diseases; Sjögren-like viruses, β-blockers")
    ['crohn', 'diseas', 'sjogren', 'like', 'virus', 'beta', 'blocker']
    """
    # Marks stand apart after NFKD and are no word characters: they go before the words are cut.
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    spelled = _GREEK.sub(_spelled, _POSSESSIVE.sub("", plain))
    return [_folded(word) for word in _WORD.findall(spelled)]


_COMMON_FOLDED = frozenset(word for common in _COMMON for word in folded_words(common))


def is_common(words: Sequence[str]) -> bool:
    """Whether a name is left out of a dictionary because it would be found where no concept is meant.

    The rule: every word is an English function word, a word that medical pages say of any subject (`_COMMON`), or a
    number; or it is one word of fewer than 3 characters.

    >>> [is_common(folded_words(name)) for name in ("ALL", "Symptoms", "TB", "Type 2", "Gout", "Heart disease")]
    [True, True, True, True, False, False]
    """
    if len(words) == 1 and len(words[0]) < _SHORTEST_NAME:
        return True
    return all(word in _COMMON_FOLDED or word.isdecimal() for word in words)


class DictionaryExtractor:
    """Finds names of a dictionary: whole words, and of names that overlap the one that begins first, then the longest.

    The matching is our own: pyahocorasick's iter_long leaves out matches (its issue 189 and pull request 224, open),
    and flashtext has had no release since 2018.

    >>> finder = DictionaryExtractor([("Diabetes", "C1"), ("Gestational diabetes", "C2"), ("All", "C3")], "made up")
    >>> text = "All had gestational diabetes."
    >>> finder.extract([text]), finder.extract([text], nested=True) == [{"C1", "C2"}]
    ([frozenset({'C2'})], True)
    >>> finder.excluded
    1
    """

    def __init__(self, names: Iterable[tuple[str, str]], source: str) -> None:
        """Stores the names; of several concepts with one name the first counts.

        Args:
            names: pairs of a name and the id of its concept.
            source: what the names were taken from, for the result.

        Raises:
            DataError: if no name is left.
        """
        self.source, self.excluded, self.ambiguous = source, 0, 0
        self._concepts: dict[Words, str] = {}
        self._longest: dict[str, int] = {}
        for name, concept in names:
            words = tuple(folded_words(name))
            if is_common(words):
                self.excluded += 1
            elif self._concepts.setdefault(words, concept) != concept:
                self.ambiguous += 1
            else:
                self._longest[words[0]] = max(self._longest.get(words[0], 0), len(words))
        if not self._concepts:
            raise DataError(
                f"no name of a concept ({self.excluded} were common words)", expected="at least 1", where=source
            )

    def describe(self) -> dict[str, Any]:
        """The source, how many names and concepts, and a hash of them."""
        return {
            "extractor": self.source,
            "names": len(self._concepts),
            "concepts": len(set(self._concepts.values())),
            "excluded_common": self.excluded,
            "ambiguous": self.ambiguous,
            "sha256": fingerprint.of_json(sorted((" ".join(words), to) for words, to in self._concepts.items())),
        }

    def extract(self, texts: Sequence[str], nested: bool = False) -> list[frozenset[str]]:
        """The ids of the concepts each text names; see `ConceptExtractor`."""
        return [frozenset(self._found(folded_words(text), nested)) for text in texts]

    def _found(self, words: Sequence[str], nested: bool) -> set[str]:
        found, place = set(), 0
        while place < len(words):
            step = 1
            for length in range(self._longest.get(words[place], 0), 0, -1):
                concept = self._concepts.get(tuple(words[place : place + length]))
                if concept is not None:
                    found.add(concept)
                    if not nested:
                        step = length
                        break
            place += step
        return found
