"""What must be the same for two accuracies to be comparable: written out, and as one hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jmlr import fingerprint
from jmlr.errors import ProtocolMismatch
from jmlr.settings import Settings
from jmlr.types import Question

ANSWER_READING_RULE = "option likelihood, mean log-likelihood a token"
"""How an answer is read off the reader: the option whose tokens are likeliest on average."""


def protocol(settings: Settings, questions: Sequence[Question]) -> dict[str, Any]:
    """The evaluation protocol: prompt, the rule that reads the answer, option order, seed, splits, items.

    The seed is that of shuffled passages and intervals; that of the training is what may be compared.
    Items are the questions of the evaluated splits in order: their id and, since an id can outlive a correction, their
    text, options in the order in which they are weighed, and answer; here as one hash and their number.

    Args:
        settings: all settings; only the block `prompt`, `evaluate.splits` and `evaluate.seed` count.
        questions: questions of any split; those of splits that are not evaluated do not count.
    """
    splits = settings.evaluate.splits
    items = [
        [question.question_id, question.split, question.text, list(question.options), question.answer_index]
        for question in questions
        if question.split in splits
    ]
    return {
        "prompt": settings.prompt.model_dump(mode="json"),
        "answer_reading_rule": ANSWER_READING_RULE,
        "option_order": "as in the data",
        "seed": settings.evaluate.seed,
        "splits": list(splits),
        "item_count": len(items),
        "items_hash": fingerprint.of_json(items),
    }


def protocol_hash(settings: Settings, questions: Sequence[Question]) -> str:
    """SHA-256 (hex) of the protocol; accuracies under different hashes are not to be compared."""
    return fingerprint.of_json(protocol(settings, questions))


def require_same(one: Mapping[str, Any], other: Mapping[str, Any], names: tuple[str, str]) -> None:
    """Refuses to compare results of different protocols.

    Raises:
        ProtocolMismatch: with both hashes and every part that differs, from both.
    """
    if one == other:
        return
    parts = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    differences = "; ".join(f"{key}: {_shown(one, other, key)}" for key in parts)
    raise ProtocolMismatch(
        f"{names[0]} was evaluated under protocol {fingerprint.of_json(one)[:12]}, {names[1]} under "
        f"{fingerprint.of_json(other)[:12]} ({differences})",
        expected="the same prompt, reading rule and questions on both sides",
        next_step="evaluate both on the same questions with the same prompt: jmlr evaluate",
    )


def _shown(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> str:
    """Both values of a part; of a part that is a block, only the keys that differ."""
    first, second = one.get(key), other.get(key)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        inner = [name for name in {**first, **second} if first.get(name) != second.get(name)]
        return ", ".join(f"{name} {first.get(name)!r} and {second.get(name)!r}" for name in inner)
    return f"{first!r} and {second!r}"
