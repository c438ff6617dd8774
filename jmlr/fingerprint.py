"""Hashes that bind things together: files, folders, passages, settings."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from jmlr.errors import FingerprintMismatch, MissingResource
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


def of_code(*places: Path) -> str:
    """SHA-256 (hex) of what Python files, named or below a folder, do: comments, docstrings and layout do not count."""
    files = [file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    return of_json([(file.name, _code(file.read_text(encoding="utf-8"))) for file in files])


def _code(text: str) -> str:
    r"""Python code written anew from its syntax, without docstrings.

    >>> _code("def f(x):\n    'Doubles.'\n    return 2*x  # why") == _code("def f(x): return (2 * x)")
    True
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            told = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            node.body = told or [ast.Pass()]
    return ast.unparse(tree)


def of_passages(passages: Iterable[Passage]) -> str:
    """SHA-256 (hex) of passage ids and indexed texts, in their order.

    >>> of_passages([Passage("p1", "a")]) == of_passages([Passage("p1", "b")])
    False
    """
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(f"{passage.passage_id}\x00{passage.indexed_text}\x01".encode())
    return digest.hexdigest()


def pinned_folder(source: str, revision: str | None) -> Path | None:
    """The folder that a model's `source` means, if it is one (`./FOLDER` or `/FOLDER`) and is what `revision` says.

    Args:
        source: of settings; anything else is no folder's name.
        revision: SHA-256 (hex) as `of_folder` gives it.

    Returns:
        The folder, or None where `source` is none.

    Raises:
        MissingResource: if it is not there.
        FingerprintMismatch: if it holds something else.
    """
    if not is_folder(source):
        return None
    folder = Path(source)
    if not folder.is_dir():
        raise MissingResource(
            "no such folder", expected="a model's folder", where=source, next_step="jmlr import FOLDER makes one"
        )
    if (found := of_folder(folder)) != revision:
        raise FingerprintMismatch(
            f"its files have the hash {found}",
            expected=f"{revision}, as params.yaml says",
            where=source,
            next_step="bring the files back, or set the revision to their hash if you changed them on purpose",
        )
    return folder


def is_folder(source: str) -> bool:
    """Whether a model's source is a folder's path; a hub id has no dot or slash at its beginning.

    >>> is_folder("./imported/reader"), is_folder("/models/reader"), is_folder("colbert-ir/colbertv2.0")
    (True, True, False)
    """
    return source.startswith(("./", "/"))
