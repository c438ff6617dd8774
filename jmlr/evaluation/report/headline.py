"""The result in a few sentences that claim no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmlr.evaluation.notation import arm_label, p_value, percent, points, split_label, success_at_1

_MAIN_ARMS = ("jmlr", "rag", "closed_book", "untrained")


def verdict(difference: Mapping[str, float], first: str, second: str) -> str:
    """Whether two arms differ, by the interval of first - second.

    >>> verdict({"value": 0.5, "low": 0.4, "high": 0.6}, "JMLR", "RAG")
    'JMLR is better than RAG here'
    >>> verdict({"value": 0.01, "low": -0.1, "high": 0.12}, "JMLR", "RAG")
    'JMLR and RAG do not differ significantly here (the interval includes 0)'
    """
    if difference["low"] > 0:
        return f"{first} is better than {second} here"
    if difference["high"] < 0:
        return f"{first} is worse than {second} here"
    return f"{first} and {second} do not differ significantly here (the interval includes 0)"


def _on_accuracy(split: str, measured: Mapping[str, Any], confidence: float) -> str:
    arm = next((arm for arm in _MAIN_ARMS if arm in measured["accuracy"]), None)
    if arm is None:
        return f"No arm answered the {split_label(split)}."
    found = measured["accuracy"][arm]
    return (
        f"On {found['questions']} {split_label(split)}, {arm_label(arm)} answers {percent(found['value'])} right "
        f"({100 * confidence:g} % interval {100 * found['low']:.1f} to {100 * found['high']:.1f}; "
        f"guessing {percent(measured['chance'])})."
    )


def _on_gain(measured: Mapping[str, Any]) -> str:
    gain = measured["difference"].get("jmlr_minus_rag")
    if not gain:
        return ""
    return (
        f"{arm_label('rag')} answers {percent(measured['accuracy']['rag']['value'])} right, a difference of "
        f"{points(gain['value'])} points ({points(gain['low'])} to {points(gain['high'])}, McNemar "
        f"p {p_value(gain['mcnemar_p'])}): {verdict(gain, 'JMLR', 'RAG')}."
    )


def _on_retrieval(measured: Mapping[str, Any]) -> str:
    before, after = (success_at_1(measured["retrieval"].get(name, {})) for name in ("before", "after"))
    if before is None or after is None:
        return ""
    return f"A gold passage is ranked first for {percent(after)} of the questions, before training {percent(before)}."


def headline(split: str, measured: Mapping[str, Any], confidence: float) -> str:
    """The main numbers of one split.

    >>> arm = {"value": 0.5, "low": 0.4, "high": 0.6, "questions": 90}
    >>> measured = {"accuracy": {"closed_book": arm}, "difference": {}, "retrieval": {}, "chance": 0.25}
    >>> headline("dev", measured, 0.95)
    'On 90 development questions, Closed book answers 50.0 % right (95 % interval 40.0 to 60.0; guessing 25.0 %).'
    """
    sentences = (_on_accuracy(split, measured, confidence), _on_gain(measured), _on_retrieval(measured))
    return " ".join(sentence for sentence in sentences if sentence)
