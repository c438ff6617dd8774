"""What changed in params.yaml from release to release, so that the settings of an old version mean what they meant.

`settings_version` says which keys a file has; one without it is of release 1, or from before. Whoever adds, renames or
removes a key adds a step to MIGRATIONS, with the value that does what was done before there was the key.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jmlr.errors import ConfigError

KEY = "settings_version"
CURRENT = 3
_FIRST = 1


@dataclass(frozen=True)
class Added:
    """A key that is new; `value` reproduces what was done without it."""

    key: str
    value: Any


@dataclass(frozen=True)
class Renamed:
    """A key whose value is kept under another name, `told` in the new one's terms where these are others."""

    old: str
    new: str
    told: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Removed:
    """A key without which all is done as it was with it."""

    key: str


def _tokens_of(words: Any) -> Any:
    """A bound in tokens that whatever has so many words keeps: a medical text has about one and a half a word."""
    return 2 * words if isinstance(words, int) else words


MIGRATIONS: Mapping[int, tuple[Added | Renamed | Removed, ...]] = {
    1: (
        # From before release 1, when versions were registered already.
        Added("prompt.layout", "passages_first"),
        Added("prompt.context_tokens", None),
        Added("index.backend", "plaid"),
        Added("index.hybrid", False),
        # Passages that only share most of their words were left out too; what is trained and indexed is as it was.
        Renamed("ingest.near_duplicates", "ingest.drop_copies", lambda share: share is not None),
        Added(
            "validate.max_cut", dict.fromkeys(("questions", "passages", "options", "tied_options", "rationales"), 1.0)
        ),
    ),
    2: (Renamed("validate.max_passage_words", "validate.max_passage_tokens", _tokens_of),),
}
"""By the version that a step starts from."""


def migrated(raw: object, where: str) -> object:
    """A parsed params.yaml in the form of today; the document itself is not changed.

    Args:
        raw: the YAML document.
        where: the file's name for messages.

    Raises:
        ConfigError: if it is of a version that this code does not know.

    >>> found = migrated({"prompt": {"options": "shown"}}, "params.yaml")
    >>> found["prompt"]["layout"], found["settings_version"] == CURRENT
    ('passages_first', True)
    """
    if not isinstance(raw, Mapping):
        return raw
    version = raw.get(KEY, _FIRST)
    if type(version) is not int or not _FIRST <= version <= CURRENT:
        raise ConfigError(
            f"settings of version {version!r}",
            expected=f"a version from {_FIRST} to {CURRENT}, which this code knows",
            where=f"{where}, {KEY}",
            next_step="use the code that wrote them: a later release, or that of the version's tag git_commit",
        )
    found: dict[str, Any] = copy.deepcopy(dict(raw))
    for step in range(version, CURRENT):
        for change in MIGRATIONS[step]:
            _apply(change, found)
    return {KEY: CURRENT, **{name: value for name, value in found.items() if name != KEY}}


def _apply(change: Added | Renamed | Removed, found: dict[str, Any]) -> None:
    if isinstance(change, Added):
        block, name = _block(found, change.key)
        if block is not None:
            block.setdefault(name, copy.deepcopy(change.value))
        return
    block, name = _block(found, change.old if isinstance(change, Renamed) else change.key)
    if block is None or name not in block:
        return
    value = block.pop(name)
    if isinstance(change, Renamed):
        target, name = _block(found, change.new)
        if target is not None:
            target.setdefault(name, change.told(value))


def _block(found: dict[str, Any], key: str) -> tuple[dict[str, Any] | None, str]:
    """The block that a dotted key is in, and its name there; None where the document has no such block."""
    *path, name = key.split(".")
    block: Any = found
    for part in path:
        block = block.get(part) if isinstance(block, dict) else None
    return (block if isinstance(block, dict) else None), name
