"""Reads raw files strictly: every error names the file and the line or row.

The first bytes tell what a file is, whatever its name: gzip and zstandard are decompressed, UTF-16 with a byte-order
mark is decoded. Other kinds are refused, with the command that makes text of them.
"""

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
"""A longer line is rejected without being held in memory."""
_LARGEST_DOCUMENT_BYTES = 2 << 30
_BUFFER_BYTES = 1 << 20
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""May open the escape of a surrogate."""
_FILL_OR_DROP = "fill the file, or take it out of ingest.sources"
_COMPRESSIONS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_OTHER_KINDS = (
    (b"PK\x03\x04", "a zip archive, as .xlsx and .docx are", "unpack it (`unzip FILE`), or save it as CSV or text"),
    (b"\xc3\xbf\xc3\xbe", "UTF-16 that was taken for Latin-1", "take the file it was made of: UTF-16 is read as it is"),
    (b"BZh91AY&SY", "bzip2", "unpack it: `bunzip2 FILE`"),
    (b"\xfd7zXZ\x00", "xz", "unpack it: `unxz FILE`"),
    (b"%PDF-", "a PDF", "make text of it: `pdftotext FILE`"),
    (b"PAR1\x15", "a parquet table", "write it as JSON lines: pandas' to_json(NAME, orient='records', lines=True)"),
    (b"\xff\xfe\x00\x00", "UTF-32", "write it as UTF-8: `iconv -f utf-32 -t utf-8 FILE > NAME`"),
)
"""First bytes of files that are not text (PAR1 alone is also a receptor), their kind, and how to make text of them."""


def plain_path(path: Path) -> Path:
    """The path without the suffix of its compression.

    >>> plain_path(Path("notes/train.jsonl.gz")).name, plain_path(Path("train.jsonl")).name
    ('train.jsonl', 'train.jsonl')
    """
    return path.with_suffix("") if path.suffix in COMPRESSED else path


def plain_bytes(path: Path) -> int:
    """About how many bytes there are to read, compressed ones counted threefold."""
    return path.stat().st_size * (3 if path.suffix in COMPRESSED else 1)


def _compression(path: Path) -> str | None:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as raw:
        first = raw.read(4)
    kind = next((name for mark, name in _COMPRESSIONS if first.startswith(mark)), None)
    if kind is None and first and path.suffix in COMPRESSED:
        raise DataError(
            f"its first bytes are not those of a {path.suffix} file",
            expected=f"a whole {path.suffix} file",
            where=str(path),
            next_step=f"make or copy {path.name} anew; if it is plain text, rename it to {plain_path(path).name}",
        )
    return kind


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes to read, decompressed, and as UTF-8 where they are UTF-16 with a byte-order mark.

    Raises:
        DataError: if it cannot be read, its compression is cut off, broken or not what its name says, or it is no text.
    """
    kind = None
    try:
        kind = _compression(path)
        with io.BufferedReader(pa.input_stream(str(path), kind), _BUFFER_BYTES) as stream:  # type: ignore[type-var]
            start = stream.peek(_TAR_MARK_AT + len(_TAR_MARK))
            _refuse_other_kinds(start, path)
            yield _as_utf_8(stream) if start.startswith(_UTF_16) else stream
    except UnicodeError as error:
        found, expected = "broken UTF-16, or cut off", "UTF-16, as its first bytes say, or UTF-8"
        remedy = f"make or copy {path.name} anew, as UTF-8"
        raise DataError(found, expected=expected, where=str(path), next_step=remedy) from error
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror or error})",
            expected=f"a whole {kind} file" if kind else "",
            where=str(path),
            next_step=f"make or copy {path.name} anew" if kind else "check ingest.root and ingest.sources",
        ) from error


def _as_utf_8(stream: BinaryIO) -> BinaryIO:
    decoded = pa.transcoding_input_stream(pa.PythonFile(stream, "r"), "utf-16", "utf-8")
    return io.BufferedReader(decoded, _BUFFER_BYTES)


def _refuse_other_kinds(start: bytes, path: Path) -> None:
    """Raises an error if a file's first bytes are not those of a text."""
    kind, remedy = next(((kind, remedy) for mark, kind, remedy in _OTHER_KINDS if start.startswith(mark)), ("", ""))
    if start[_TAR_MARK_AT:].startswith(_TAR_MARK):
        kind, remedy = "a tar archive", "unpack it: `tar -xf FILE`"
    elif not kind and b"\0" in start[:4] and not start.startswith(_UTF_16):
        endian = "le" if start[1:2] == b"\0" else "be"
        kind, remedy = "no text, or UTF-16 without its mark", f"try `iconv -f utf-16{endian} -t utf-8 FILE > NAME`"
    if kind:
        raise DataError(
            f"this is {kind}", expected="UTF-8 text", where=str(path), next_step=remedy.replace("FILE", path.name)
        )


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


class _RepeatedKeyError(ValueError):
    """One key stands twice in an object, so that one of its values would be lost."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return row


# pandas writes NaN where a value is missing; it is null here, and so missing everywhere.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=lambda name: None if name == "NaN" else float(name)
)


def _parsed(text: str, path: Path, line: int | None = None) -> Any:
    """The value of a JSON text; `line` is its own in the file, None where the text is the whole file."""
    where = str(path) if line is None else f"{path}, line {line}"
    try:
        value = _DECODER.decode(text)
        # Half of a surrogate pair is valid JSON, but no character: it could not be written to a table.
        if _HALF_CHARACTER.search(text):
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = _DECODER.decode(whole)
    except json.JSONDecodeError as error:
        raise DataError(
            f"broken JSON: {error.msg} (column {error.colno})",
            expected="valid JSON" if line is None else "valid JSON, one object a line",
            where=f"{path}, line {line or error.lineno}",
            next_step=_json_remedy(text, path, line),
        ) from error
    except _RepeatedKeyError as error:
        raise DataError(f"key {str(error)!r} comes twice", expected="keys that differ", where=where) from error
    except (RecursionError, ValueError) as error:
        found = "JSON nested too deep" if isinstance(error, RecursionError) else "a number of thousands of digits"
        raise DataError(found, expected="rows of text", where=where, next_step="take it out") from error
    return value


def _json_remedy(text: str, path: Path, line: int | None) -> str:
    """What to do about a text that is not JSON, or a line that is not an object."""
    if line == 1 and text.lstrip().startswith("["):
        program = f"import json; [print(json.dumps(row)) for row in json.load(open('{path.name}'))]"
        return f'write the list as JSON lines: `python -c "{program}" > NAME`'
    if line == 1 and "\r" in text.strip():
        return f"end its lines with newlines: `tr '\\r' '\\n' < {path.name} > NAME`"
    return f"fix this line, or make {path.name} anew"


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

    Blank lines are skipped.

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
            found, remedy = f"a JSON {type(row).__name__}", _json_remedy(line, path, number)
            raise DataError(found, expected="an object", where=f"{path}, line {number}", next_step=remedy)
        yield number, row


def field(row: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """The value of a field that must be there.

    Args:
        row: one raw row.
        name: the field.
        kind: its type.
        where: file and row, for the message.

    Raises:
        DataError: if the field is missing, null or of another type.

    >>> field({"question": "Why?"}, "question", str, "q.jsonl, line 1")
    'Why?'
    """
    value = row.get(name)
    if value is None:
        found = f"field {name!r} is null" if name in row else f"no field {name!r} (there are {sorted(row)})"
        raise DataError(found, expected=f"a field {name!r}", where=where)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise DataError(
            f"field {name!r} is a {type(value).__name__}",
            expected=f"a {kind.__name__}",
            where=where,
            next_step="put it in quotes" if kind is str and isinstance(value, (int, float)) else "",
        )
    return value
