"""Plain text and markdown: one passage a block, that is a paragraph, list, table, quotation or code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import plain_path, read_text
from jmlr.data.rows import clean, content_id
from jmlr.types import Passage, Rejected, Row

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_PLAIN = MarkdownIt("zero").enable("heading")
"""Paragraphs and # headings alone: in plain text, indentation and signs are no markup."""
_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(r"^title\s*[:=]\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)
_FOOTNOTE, _FOOTNOTE_MARK = re.compile(r"^\[\^[^\]\s]+\]:[ \t]*", re.MULTILINE), re.compile(r"\[\^[^\]\s]+\]")
_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1>|</?[a-zA-Z][^>]*>", re.DOTALL | re.IGNORECASE)
_BROKEN_WORD = re.compile("(\\w+)([-\u2010\u00ad])[ \t]*\n(?:[ \t]*> ?(?=[a-z])|[ \t]*)(?!\\d+[.)]\\s)(\\w+)")
_LONGEST_HEADING_WORDS = 20
"""A longer one is a paragraph above a line of dashes."""


def whole_words(document: str) -> str:
    r"""The document with words joined that a hyphen splits at the end of a line.

    The hyphen stays if the document has the word with it or both parts as words, and before a capital or digit.

    >>> whole_words("Beta-blocker: renal insuf-\nficiency, a beta-\nblocker, COVID-\n19")
    'Beta-blocker: renal insufficiency, a beta-blocker, COVID-19'
    """
    if not _BROKEN_WORD.search(document):
        return document
    folded = document.casefold()
    words = set(re.findall(r"\w+", _BROKEN_WORD.sub(" ", folded)))

    def joined(match: re.Match[str]) -> str:
        first, hyphen, last = match.groups()
        if last in {"and", "or", "to"}:  # low- and high-dose
            return f"{first}- {last}"
        parts = first.casefold(), last.casefold()
        is_compound = f"{parts[0]}-{parts[1][:4]}" in folded or words.issuperset(parts)
        is_word = hyphen == "\u00ad" or (first.isalpha() and last[0].islower() and not is_compound)
        return first + last if is_word else f"{first}-{last}"

    return _BROKEN_WORD.sub(joined, document)


def _said(node: SyntaxTreeNode) -> str:
    """The visible text of a node, with the file's line breaks, without addresses and comments."""
    parts = [_said(child) for child in node.children]
    if node.type in {"softbreak", "hardbreak"} or node.content == "<br>":
        return "\n"
    if node.type in {"html_block", "html_inline"}:
        return _UNSEEN.sub(" " if node.type == "html_block" else "", node.content)
    if node.type in {"bullet_list", "ordered_list"}:
        return " ".join(part if part[-1:] in ".;:,!?" else f"{part};" for part in parts).removesuffix(";")
    if node.type == "table":
        header, *rows = ([_said(cell) for cell in row.children] for part in node.children for row in part.children)
        named = ([f"{name}: {cell}" for name, cell in zip(header, row, strict=True) if cell.strip()] for row in rows)
        return " ".join(f"{'; '.join(cells)}." for cells in named) or "; ".join(header)
    return ("" if node.type in {"inline", "em", "strong", "link", "image"} else " ").join(parts) or node.content


def _blocks(document: str, is_markdown: bool) -> Iterator[tuple[bool, str]]:
    """Whether a block is a heading, and its text; a list or table belongs to the paragraph that opens it by a colon."""
    lead = ""
    for node in SyntaxTreeNode((_MARKDOWN if is_markdown else _PLAIN).parse(whole_words(document))).children:
        text = clean(_said(node))
        is_heading = node.type == "heading" and len(text.split()) <= _LONGEST_HEADING_WORDS
        if lead and (is_heading or node.type == "paragraph"):
            yield False, lead
            lead = ""
        if text.endswith(":") and node.type == "paragraph":
            lead = text
        else:
            yield is_heading, clean(f"{lead} {text}")
            lead = ""
    yield False, lead


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The blocks of one file; those of .md files are CommonMark with tables, front matter and footnotes.

    The title is that of the front matter, else the first heading, else the file's name; `section` is the heading that a
    block stands under. Ids are made from file name and content, so that a new paragraph does not rename the others.

    Raises:
        DataError: if the file is empty or no text.
    """
    name, section, seen = plain_path(path).stem, "", set()
    document = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    is_markdown, title = plain_path(path).suffix in {".md", ".markdown"}, ""
    if is_markdown and (front := _FRONT_MATTER.match(document)):
        found = _FRONT_TITLE.search(front[2])
        title, document = clean(found[1]) if found else "", document[front.end() :]
    if is_markdown:
        document = _FOOTNOTE_MARK.sub("", _FOOTNOTE.sub("\n", document))
    for is_heading, text in _blocks(document, is_markdown):
        passage_id = f"text:{name}:{content_id(section, text)}"
        if is_heading:
            section = text
            title = title or section
        elif passage_id in seen:
            yield Rejected(path.as_posix(), passage_id, "duplicated passage", text[:80])
        elif text:
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
    if not seen:
        yield Rejected(path.as_posix(), "1", "file without a paragraph", title)
