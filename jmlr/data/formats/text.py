"""Plain text and markdown: one passage a paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from jmlr.config import SourceSettings
from jmlr.data.raw_files import plain_path, read_text
from jmlr.data.rows import clean, content_id
from jmlr.types import Passage, Row

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The paragraphs (parted by blank lines) of one file.

    The title is the first heading, else the file's name; `section` is the heading a paragraph stands under. Ids are
    made from file name and content, so that a new paragraph does not rename the others.

    Raises:
        DataError: if the file is empty or not UTF-8.
    """
    name, title, section, seen = plain_path(path).stem, "", "", set()
    for block in re.split(r"\n\s*\n", read_text(path).replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        heading = _HEADING.match(lines[0].strip())
        if heading:
            section, lines = clean(heading[1]), lines[1:]
            title = title or section
        text = clean("\n".join(lines))
        passage_id = f"text:{name}:{content_id(section, text)}"
        if text and passage_id not in seen:
            seen.add(passage_id)
            yield Passage(
                passage_id=passage_id,
                text=text,
                title=title or name.replace("_", " "),
                source="text",
                document_id=f"text:{name}",
                section=section,
                licence=source.licence,
            )
