"""What a judge's verdicts in both orders come to: win rate, agreement of the orders, preference of a place."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jmlr.errors import DataError
from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient, Endpoint
from jmlr.evaluation.rationales.chat_judge.log import Judgement
from jmlr.evaluation.rationales.chat_judge.pairs import Comparison, judge
from jmlr.evaluation.rationales.rationale import Rationale
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings

_DECIMALS = 6

Pair = tuple[int, int]
"""Preferred arm (1 first, -1 second, 0 neither) in the orders given and swapped."""


def cohen_kappa(pairs: Sequence[Pair]) -> float | None:
    """Agreement of the two orders beyond chance, at most 1; None if chance alone agrees always, or there is no pair.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37.

    >>> cohen_kappa([(1, 1), (1, -1), (-1, -1), (-1, -1)])
    0.5
    """
    count = len(pairs)
    given, swapped = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    # In whole numbers, so that certain agreement by chance is recognised exactly.
    by_chance = sum(given[preferred] * swapped[preferred] for preferred in given)
    if by_chance == count * count:
        return None
    agreeing = sum(first == second for first, second in pairs)
    return (count * agreeing - by_chance) / (count * count - by_chance)


def outcome(pair: Pair) -> int:
    """1 if both orders prefer the first arm, -1 if both the second, else 0.

    >>> outcome((1, 1)), outcome((1, -1)), outcome((1, 0)), outcome((-1, -1))
    (1, 0, 0, -1)
    """
    return pair[0] if pair[0] == pair[1] else 0


def first_place_share(judgements: Sequence[Judgement]) -> float | None:
    """Share of place A among verdicts that prefer one, 0 to 1; None if none does.

    With both orders asked, each text is in place A as often as in B: a judge of the texts alone gets 0.5.
    """
    decided = [judgement.verdict for judgement in judgements if judgement.verdict in ("A", "B")]
    return decided.count("A") / len(decided) if decided else None


def _by_question(judgements: Sequence[Judgement]) -> list[tuple[Judgement, Judgement]]:
    """The two orders of each question, in the order of questions.

    Raises:
        DataError: if the arms differ, or a question has not exactly one judgement an order.
    """
    arms = {f"{judgement.first_arm} and {judgement.second_arm}" for judgement in judgements}
    if len(arms) > 1:
        raise DataError(f"judgements of {', '.join(sorted(arms))}", expected="of one pair of arms")
    orders: dict[str, dict[str, Judgement]] = defaultdict(dict)
    for judgement in judgements:
        if judgement.order in orders[judgement.question_id]:
            where = f"question {judgement.question_id}"
            raise DataError(f"two judgements of the order {judgement.order}", expected="one", where=where)
        orders[judgement.question_id][judgement.order] = judgement
    for question_id, found in orders.items():
        if len(found) != 2:
            raise DataError(f"the order {next(iter(found))} alone", expected="both", where=f"question {question_id}")
    return [(found["given"], found["swapped"]) for found in orders.values()]


def judge_arms(
    endpoint: Endpoint, settings: EvaluateSettings, written: Mapping[str, Sequence[Rationale]], log: Path
) -> dict[str, Any]:
    """Has the rationales of two arms judged, question by question; see `summarise_judgements` and `judge`.

    Raises:
        MissingResource: if the endpoint fails; what was judged until then is in the log.
    """
    (first, ones), (second, others) = written.items()
    texts = {one.question.question_id: one.text for one in ones}
    comparisons = [
        Comparison(other.question, (first, second), (texts[other.question.question_id], other.text))
        for other in others
        if other.question.question_id in texts
    ]
    with ChatClient(endpoint) as client:
        return summarise_judgements(settings, judge(comparisons, client, log))


def summarise_judgements(settings: EvaluateSettings, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """What the judge's verdicts on one pair of arms come to: a part of metrics.json.

    Returns:
        model and arms; pairs judged; `unreadable_pairs` left out because a reply could not be read, and how many
        `unreadable_replies` and, of them, `refused_replies`; over the other pairs: wins and losses of the first arm in
        both orders, ties in both, `position_inconsistent` (the orders differ; counted as ties); `win_rate` {value, low,
        high, questions}, the mean of 1 a win, 1/2 a tie, 0 a loss; `agreement`, the share of pairs on which both orders
        say the same; `cohen_kappa`; `first_place_share`; and tokens used. What is not defined is None.

    Raises:
        DataError: if there is no judgement, or they do not belong together.
    """
    if not judgements:
        raise DataError("no judgements", expected="at least one comparison in both orders")
    both = _by_question(judgements)
    readable = [found for found in both if None not in (found[0].verdict, found[1].verdict)]
    return {
        "model": judgements[0].model,
        "first_arm": judgements[0].first_arm,
        "second_arm": judgements[0].second_arm,
        "pairs": len(both),
        "unreadable_pairs": len(both) - len(readable),
        "unreadable_replies": sum(judgement.verdict is None for judgement in judgements),
        "refused_replies": sum(bool(judgement.refused) for judgement in judgements),
        **_figures(settings, readable),
        "prompt_tokens": sum(judgement.prompt_tokens for judgement in judgements),
        "completion_tokens": sum(judgement.completion_tokens for judgement in judgements),
    }


def _figures(settings: EvaluateSettings, readable: Sequence[tuple[Judgement, Judgement]]) -> dict[str, Any]:
    """What the pairs come to that were judged readably in both orders."""
    pairs: list[Pair] = [(given.preferred or 0, swapped.preferred or 0) for given, swapped in readable]
    outcomes = [outcome(pair) for pair in pairs]
    inconsistent = sum(given != swapped for given, swapped in pairs)
    shares = {
        "agreement": 1 - inconsistent / len(pairs) if pairs else None,
        "cohen_kappa": cohen_kappa(pairs),
        "first_place_share": first_place_share([judgement for found in readable for judgement in found]),
    }
    return {
        "wins": outcomes.count(1),
        "losses": outcomes.count(-1),
        "ties": outcomes.count(0) - inconsistent,
        "position_inconsistent": inconsistent,
        "win_rate": _win_rate(settings, outcomes),
        **{name: None if share is None else round(share, _DECIMALS) for name, share in shares.items()},
    }


def _win_rate(settings: EvaluateSettings, outcomes: Sequence[int]) -> dict[str, float | int] | None:
    if not outcomes:
        return None
    found = mean_interval((np.array(outcomes) + 1) / 2, settings)
    return {**{name: round(bound, _DECIMALS) for name, bound in found.bounds.items()}, "questions": found.questions}
