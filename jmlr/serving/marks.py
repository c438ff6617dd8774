"""How figures and matching words look on the page; jinja2 escapes all text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jmlr.evaluation.evidence import SUPPORT_BOUND
from jmlr.serving.matches import Match
from jmlr.serving.model import Cited, Effect

LEVELS = 4


@dataclass(frozen=True)
class Piece:
    """A piece of a passage; `level` 0: plain, 1 to LEVELS: how well it matches, and `why`."""

    text: str
    level: int = 0
    why: str = ""


def pieces(text: str, matches: Sequence[Match], scale: float) -> list[Piece]:
    """The text cut into plain and marked pieces; joined they are the text.

    A word is marked by its share of the passage's MaxSim: `scale` and more is the highest level, and so in LEVELS equal
    steps; less than one step is plain.

    >>> [(piece.text, piece.level) for piece in pieces("Big toe.", [Match(4, 7, 0.9, "toe", 2.0)], 2.0)]
    [('Big ', 0), ('toe', 4), ('.', 0)]
    """
    found, end = [], 0
    for match in matches:
        level = min(LEVELS, int(LEVELS * match.share / scale)) if scale > 0 else 0
        if level < 1 or match.start < end:
            continue
        why = f"similarity {match.similarity:.2f} with “{match.question_word}”; {match.share:.1f} of the score"
        found += [Piece(text[end : match.start]), Piece(text[match.start : match.end], level, why)]
        end = match.end
    return [piece for piece in [*found, Piece(text[end:])] if piece.text]


def scale(passage: Cited) -> float:
    """The largest share of one of its words; 0 without any."""
    return max((match.share for match in (*passage.matches, *passage.title_matches)), default=0.0)


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
    "scale": scale,
    "percent": percent,
    "points": points,
    "verdict": verdict,
}
"""What the template may call."""
