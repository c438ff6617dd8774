"""Reading raw files strictly, plain, gzip or zstandard: every fault names the file and the line or row."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from jmlr.errors import DataError

COMPRESSED = (".gz", ".zst")
LONGEST_LINE_BYTES = 16 << 20
"""A longer line is no row of text; it is passed over without being held in memory."""
_LARGEST_DOCUMENT_BYTES = 2 << 30
_BUFFER_BYTES = 1 << 20
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""May open the escape of a surrogate."""
_FILL_OR_DROP = "fill the file, or take it out of ingest.sources"


def plain_path(path: Path) -> Path:
    """The path without the suffix of its compression.

    >>> plain_path(Path("notes/train.jsonl.gz")).name, plain_path(Path("train.jsonl")).name
    ('train.jsonl', 'train.jsonl')
    """
    return path.with_suffix("") if path.suffix in COMPRESSED else path


def plain_bytes(path: Path) -> int:
    """About how many bytes there are to read, compressed ones counted threefold."""
    return path.stat().st_size * (3 if path.suffix in COMPRESSED else 1)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes to read, decompressed where its name ends in .gz or .zst.

    Raises:
        DataError: if it cannot be read, or its compression is cut off or broken.
    """
    try:
        with io.BufferedReader(pa.input_stream(str(path)), _BUFFER_BYTES) as stream:  # type: ignore[type-var]
            yield stream
    except OSError as error:
        remedy = (
            f"make or copy {path.name} anew" if path.suffix in COMPRESSED else "check ingest.root and ingest.sources"
        )
        raise DataError(
            f"cannot be read ({error.strerror or error})",
            expected=f"a whole {path.suffix} file" if path.suffix in COMPRESSED else "",
            where=str(path),
            next_step=remedy,
        ) from error


def _decoded(content: bytes, path: Path, first_line: int) -> str:
    """UTF-8 bytes as text; a wrong byte is named with its line."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + content.count(b"\n", 0, error.start)
        raise DataError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            expected="UTF-8 text",
            where=f"{path}, line {line}",
            next_step=f"save {path.name} as UTF-8 (iconv -f latin1 -t utf-8 is often right)",
        ) from error


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark.

    Raises:
        DataError: if the file is missing, unreadable, empty, larger than 2 GiB or not UTF-8.
    """
    with opened(path) as stream:
        content = stream.read(_LARGEST_DOCUMENT_BYTES + 1)
    if len(content) > _LARGEST_DOCUMENT_BYTES:
        raise DataError("more than 2 GiB in one document", expected="less, or JSON lines", where=str(path))
    text = _decoded(content, path, 1).removeprefix("\ufeff")
    if not text.strip():
        raise DataError("empty file", expected="at least one row", where=str(path), next_step=_FILL_OR_DROP)
    return text


def text_lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """Line numbers (from 1) and lines of a UTF-8 file as a stream; None for a line over LONGEST_LINE_BYTES.

    Lines end at a newline alone: U+2028 may stand inside a JSON string.

    Raises:
        DataError: if the file is unreadable, empty or not UTF-8, naming the line.
    """
    number, blank = 0, True
    with opened(path) as stream:
        while line := stream.readline(LONGEST_LINE_BYTES):
            number += 1
            if len(line) == LONGEST_LINE_BYTES and not line.endswith(b"\n"):
                while (rest := stream.readline(_BUFFER_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield number, None
                blank = False
                continue
            text = _decoded(line, path, number)
            text = text.removeprefix("\ufeff") if number == 1 else text
            blank = blank and not text.strip()
            yield number, text
    if blank:
        raise DataError("empty file", expected="at least one row", where=str(path), next_step=_FILL_OR_DROP)


def _parsed(text: str, path: Path, line: int | None = None) -> Any:
    """The value of a JSON text; `line` is its own in the file, None where the text is the whole file."""
    try:
        value = json.loads(text)
        # Half of a surrogate pair is valid JSON, but no character: it could not be written to a table.
        if _HALF_CHARACTER.search(text):
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = json.loads(whole)
    except json.JSONDecodeError as error:
        raise DataError(
            f"broken JSON: {error.msg} (column {error.colno})",
            expected="valid JSON",
            where=f"{path}, line {line or error.lineno}",
            next_step=f"mend this line, or make {path.name} anew",
        ) from error
    except (RecursionError, ValueError) as error:
        found = "JSON nested too deep" if isinstance(error, RecursionError) else "a number of thousands of digits"
        where = str(path) if line is None else f"{path}, line {line}"
        raise DataError(found, expected="rows of text", where=where, next_step="take it out") from error
    return value


def json_document(path: Path, kind: type) -> Any:
    """The one JSON value of a file, which must be of `kind` (dict or list).

    Raises:
        DataError: if it is not JSON or not of this kind.
    """
    value = _parsed(read_text(path), path)
    if not isinstance(value, kind):
        raise DataError(
            f"a JSON {type(value).__name__} at the top", expected=f"a {kind.__name__}", where=f"{path}, line 1"
        )
    if not value:
        raise DataError(f"an empty {kind.__name__}", expected="at least one row", where=str(path))
    return value


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Line numbers (from 1) and objects of a JSON-lines file, as a stream; None for a line too long to be a row.

    Blank lines are passed over.

    Raises:
        DataError: naming the line that is not a JSON object.
    """
    for number, line in text_lines(path):
        if line is None:
            yield number, None
            continue
        if not line.strip():
            continue
        row = _parsed(line, path, number)
        if not isinstance(row, dict):
            raise DataError(f"a JSON {type(row).__name__}", expected="an object", where=f"{path}, line {number}")
        yield number, row


def field(row: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """The value of a field that must be there.

    Args:
        row: one raw row.
        name: the field.
        kind: its type.
        where: file and row, for the message.

    Raises:
        DataError: if the field is missing or of another type.

    >>> field({"question": "Why?"}, "question", str, "q.jsonl, line 1")
    'Why?'
    """
    if name not in row:
        raise DataError(f"no field {name!r} (there are {sorted(row)})", expected=f"a field {name!r}", where=where)
    if not isinstance(row[name], kind):
        raise DataError(f"field {name!r} is a {type(row[name]).__name__}", expected=f"a {kind.__name__}", where=where)
    return row[name]
