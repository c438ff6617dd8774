"""How figures and matching words look on the page; jinja2 escapes all text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bm25s.stopwords import STOPWORDS_EN_PLUS

from jmlr.evaluation.evidence import SUPPORT_BOUND
from jmlr.serving.matches import Match
from jmlr.serving.model import Effect

LEVELS = 4
_LISTED_PAIRS = 6
_FUNCTION_WORDS = frozenset(STOPWORDS_EN_PLUS)


@dataclass(frozen=True)
class Piece:
    """A piece of a passage; `level` 0: plain, 1 to LEVELS: how well it matches, and `why`."""

    text: str
    level: int = 0
    why: str = ""


def marked(text: str, matches: Sequence[Match]) -> list[tuple[Match, int]]:
    """The words that match better than most of the text's, with their level, 1 to LEVELS.

    From the median of the words to the best one in LEVELS equal steps; less than one step above the median is not
    marked. Words such as "of" are left out: in context they are near to each other in any two texts.

    >>> words = [Match(0, 3, 0.7, "a", 0.0), Match(4, 7, 0.9, "toe", 2.0), Match(8, 10, 0.95, "of", 0.0)]
    >>> [(word.question_word, level) for word, level in marked("Big toe of", [*words, Match(11, 12, 0.6, "b", 0.0)])]
    [('toe', 4)]
    """
    words = [match for match in matches if text[match.start : match.end].lower() not in _FUNCTION_WORDS]
    if not words:
        return []
    usual, best = median(word.similarity for word in words), max(word.similarity for word in words)
    if best <= usual:
        return []
    levels = [math.floor(LEVELS * (word.similarity - usual) / (best - usual)) for word in words]
    return [(word, level) for word, level in zip(words, levels, strict=True) if level >= 1]


def pieces(text: str, matches: Sequence[Match]) -> list[Piece]:
    """The text cut into plain and marked pieces; joined they are the text.

    >>> words = [Match(0, 3, 0.7, "a", 0.0), Match(4, 7, 0.9, "toe", 2.0)]
    >>> [(piece.text, piece.level) for piece in pieces("Big toe.", words)]
    [('Big ', 0), ('toe', 4), ('.', 0)]
    """
    found, end = [], 0
    for match, level in marked(text, matches):
        why = f"similarity {match.similarity:.2f} with “{match.question_word}”; {match.share:.1f} of the score"
        found += [Piece(text[end : match.start]), Piece(text[match.start : match.end], level, why)]
        end = match.end
    return [piece for piece in [*found, Piece(text[end:])] if piece.text]


def pairs(text: str, matches: Sequence[Match]) -> list[tuple[str, str, str]]:
    """The best marked words: each with the question's word it is nearest to, and their similarity; none twice."""
    best = sorted((match for match, _ in marked(text, matches)), key=lambda match: -match.similarity)
    found = {(text[match.start : match.end], match.question_word): f"{match.similarity:.2f}" for match in best}
    return [(word, other, similarity) for (word, other), similarity in found.items()][:_LISTED_PAIRS]


def percent(value: float) -> str:
    """A share in whole percent; what is not all or nothing does not look so.

    >>> percent(0.934), percent(0.9996), percent(0.0), percent(0.002)
    ('93 %', '>99 %', '0 %', '<1 %')
    """
    if 0.995 <= value < 1:
        return ">99 %"
    return "<1 %" if 0 < value < 0.005 else f"{value:.0%}".replace("%", " %")


def points(change: float) -> str:
    """A change of a probability in percentage points.

    >>> points(-0.523), points(0.02), points(0.0)
    ('−52 points', '+2 points', '±0 points')
    """
    rounded = round(100 * change)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else "±"
    return f"{sign}{abs(rounded)} point{'' if abs(rounded) == 1 else 's'}"


def verdict(effect: Effect) -> str:
    """What a passage did for the answer, in one word that is also a CSS class.

    >>> verdict(Effect(0.4, -0.5, -1.0, True)), verdict(Effect(0.9, 0.01, 0.0, False))
    ('supports', 'neutral')
    """
    if effect.probability_change < -SUPPORT_BOUND:
        return "supports"
    return "opposes" if effect.probability_change > SUPPORT_BOUND else "neutral"


FILTERS: dict[str, Callable[..., Any]] = {
    "pieces": pieces,
    "pairs": pairs,
    "percent": percent,
    "points": points,
    "verdict": verdict,
}
"""What the template may call."""
