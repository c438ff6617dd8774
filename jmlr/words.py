"""What a word, a sentence's end and the same text are, in any script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import regex
import xxhash

_UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\uff70\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}"
)
"""Scripts without spaces between words: there each character counts as a word."""
_CHARACTER = regex.compile(rf"[{_UNSPACED}]\p{{M}}*")
_WORD = regex.compile(rf"{_CHARACTER.pattern}|[[\p{{L}}\p{{N}}\p{{M}}_]--[{_UNSPACED}]]+", regex.V1)
_NO_WORD = {code: " " for code in range(128) if not _WORD.match(chr(code))}
_CLOSING = r"[\p{Pe}\p{Pf}\"']"
_ATOM = regex.compile(
    rf"{_CHARACTER.pattern}[\p{{Po}}\p{{Pe}}\p{{Pf}}]*"
    rf"|[^{_UNSPACED}]*?[\p{{STerm}}--[.!?]]+{_CLOSING}*"
    rf"|[^{_UNSPACED}]+",
    regex.V1,
)
_SENTENCE_END = regex.compile(rf"\p{{STerm}}{_CLOSING}* ?$|[\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}]\p{{M}}* $")
_STOPS = re.compile(r"[.,;:!]+(?!\S)")


def words_of(text: str) -> list[str]:
    """The words of a text without case and punctuation; in scripts without spaces its characters.

    >>> words_of("Give 5 mg, then REST."), words_of("痛风 HbA1c。")
    (['give', '5', 'mg', 'then', 'rest'], ['痛', '风', 'hba1c'])
    """
    if text.isascii():  # the same, five times as fast
        return text.lower().translate(_NO_WORD).split()
    return _WORD.findall(text.casefold())


def search_words(text: str) -> list[str]:
    """The words of a text; where characters count as words, each two neighbours too, which tell more than one does.

    >>> search_words("痛风 HbA1c"), search_words("Acute gout.")
    (['痛', '风', 'hba1c', '痛风'], ['acute', 'gout'])
    """
    words = words_of(text)
    if not has_unspaced(text):
        return words
    single = [_CHARACTER.fullmatch(word) is not None for word in words]
    neighbours = pairwise(zip(words, single, strict=True))
    return words + [one + other for (one, first), (other, second) in neighbours if first and second]


def is_unspaced(words: Sequence[str]) -> bool:
    """Whether most of the words are single characters of a script without spaces.

    >>> is_unspaced(words_of("痛风 treated")), is_unspaced(words_of("treated 痛"))
    (True, False)
    """
    return 2 * sum(map(bool, map(_CHARACTER.fullmatch, words))) > len(words)


def has_unspaced(text: str) -> bool:
    """Whether a character is of a script without spaces."""
    return not text.isascii() and _CHARACTER.search(text) is not None


def length_in_words(text: str) -> int:
    """How long a text is: words between spaces; in scripts without spaces each character is one.

    >>> length_in_words("Give 5 mg/kg, then rest."), length_in_words("痛风用 5 mg")
    (5, 5)
    """
    return len(words_of(text)) if has_unspaced(text) else len(text.split())


def atoms(word: str) -> Sequence[int]:
    """Where a text without spaces may be cut: the place of each part's first character; [0] for a word.

    A mark that ends or closes stays with what is before it.

    >>> atoms("therapy"), atoms("体温38.5度。然后")
    ([0], [0, 1, 2, 6, 8, 9])
    """
    return [part.start() for part in _ATOM.finditer(word)] if has_unspaced(word) else [0]


def ends_sentence(word: str) -> bool:
    """Whether a sentence ends with this word, in any script; in Thai, Lao, Khmer and Burmese a space ends it.

    >>> [ends_sentence(word) for word in ("rest.", "rest", "休息。」", "พัก ")]
    [True, False, True, True]
    """
    return _SENTENCE_END.search(word) is not None


def saying(*texts: str) -> int:
    """A number of 64 bits, equal for texts that say the same.

    They do where nothing differs but case, spaces and the stops . , ; : ! at the end of words: one other word, sign,
    digit or unit may turn the meaning round ("left", "right"; "5 mg", "5 g"; "stage II", "stage III").

    >>> saying("Take it daily") == saying("take it,  daily.") != saying("take it weekly.")
    True
    """
    parts = (" ".join(_STOPS.sub("", text.casefold()).split()) for text in texts)
    return xxhash.xxh3_64_intdigest("\x00".join(parts).encode())
