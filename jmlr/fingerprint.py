"""Hashes that bind things together: files, folders, passages, settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from jmlr.types import Passage

_CHUNK_BYTES = 1 << 20


def of_json(value: object) -> str:
    """SHA-256 (hex) of a JSON-able value, independent of key order.

    >>> of_json({"a": 1, "b": 2}) == of_json({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def of_text(text: str) -> str:
    """SHA-256 (hex) of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def of_folder(folder: Path, pattern: str = "*") -> str:
    """SHA-256 (hex) over the names and bytes of the files below `folder` that match `pattern`."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return of_json([(path.relative_to(folder).as_posix(), of_file(path)) for path in files])


def of_passages(passages: Iterable[Passage]) -> str:
    """SHA-256 (hex) of passage ids and indexed texts, in their order.

    >>> of_passages([Passage("p1", "a")]) == of_passages([Passage("p1", "b")])
    False
    """
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(f"{passage.passage_id}\x00{passage.indexed_text}\x01".encode())
    return digest.hexdigest()
