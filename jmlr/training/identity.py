"""What a training is: all that changes what it learns, and nothing else; a later try goes on from the same one only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jmlr import fingerprint
from jmlr.settings import Settings
from jmlr.types import Hit, Passage, Question

Identity = dict[str, str]
"""A name of each part, for messages, and its hash or value as text."""

_BLOCKS = {"seed", "prompt", "index", "train"}
# They say what is measured, kept, watched or made afterwards. Each arm is trained as if it were the only one.
_NOT_LEARNT = {
    "index": {"backend", "kmeans_iterations"},
    "train": {"arms", "budget_device_hours", "collapse", "device_peak_tflops", "needs_gpu", "save_every_steps"},
}
_PACKAGES = ("training", "losses", "models")
_BOOKKEEPING = {"collapse", "identity", "ledger", "movement", "sink"}
"""Modules of training that tell what happens and change nothing in it."""


def of_settings(settings: Settings) -> Identity:
    """The settings that change what is learnt, by their keys; what is read from files counts by its content."""
    return _leaves(settings.model_dump(include=_BLOCKS, exclude=_NOT_LEARNT, mode="json"))


def of_code() -> Identity:
    """The code that computes: a hash a module, the same whatever its comments, docstrings and layout."""
    package = Path(__file__).parents[1]
    files = [file for name in _PACKAGES for file in sorted((package / name).glob("*.py"))]
    learnt = [file for file in files if file.parent.name != "training" or file.stem not in _BOOKKEEPING]
    return {f"code of {file.relative_to(package.parent)}": fingerprint.of_code(file) for file in learnt}


def of_data(
    questions: Sequence[Question], passages: Sequence[Passage], pools: Mapping[str, Sequence[Hit]], pool_size: int
) -> Identity:
    """What is asked, what can be read, and each question's first pool, as hashes.

    Args:
        questions: of the training.
        passages: all, in their order.
        pools: candidates by question id, best first.
        pool_size: K; what lies beyond it is not read.
    """
    asked = [(one.question_id, one.text, one.options, one.answer_index, one.rationale) for one in questions]
    found = [[hit.passage_id for hit in pools.get(one.question_id, ())][:pool_size] for one in questions]
    return {
        "training questions": fingerprint.of_json(asked),
        "passages": fingerprint.of_passages(passages),
        "candidates of training questions": fingerprint.of_json(found),
    }


def difference(one: Mapping[str, str], other: Mapping[str, str], most: int = 4) -> str:
    """The names of what differs, at most `most` of them.

    >>> difference({"seed": "1", "passages": "a"}, {"seed": "2", "passages": "a"})
    'seed'
    """
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _leaves(block: Mapping[str, Any], above: str = "") -> Identity:
    leaves: Identity = {}
    for name, value in block.items():
        leaves |= _leaves(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": repr(value)}
    return leaves
