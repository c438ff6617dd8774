"""What `jmlr data` shows of the tables that came in: one row, a few drawn ones, or counts of all."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jmlr.settings import Settings
from jmlr.data.tables import passage_batches, read_leaks, read_questions
from jmlr.errors import DataError, MissingResource
from jmlr.files import read_json, reading
from jmlr.stages import layout
from jmlr.console import CONSOLE
from jmlr.types import OPTION_LETTERS, Passage, Question
from jmlr.words import length_in_words

Row = TypeVar("Row", Passage, Question)

_ORIGIN = ("source", "document_id", "section", "licence")


def show(row_id: str) -> None:
    """Prints the passage or question of this id with its origin; of a question also its gold passages and leaks.

    Raises:
        DataError: if there is none.
    """
    question = next((one for one in read_questions(layout.QUESTIONS) if one.question_id == row_id), None)
    if question is not None:
        _print_question(question)
        for passage in _find(set(question.gold_passage_ids)):
            CONSOLE.print("gold passage:")
            _print_passage(passage)
        for leak in read_leaks(layout.LEAKS):
            if leak.question_id == row_id:
                CONSOLE.print(f"leaks: its {leak.part} is in {leak.found_in} {leak.other_id} ({leak.match})")
        return
    found = list(_find({row_id}))
    if not found:
        raise DataError(
            f"no passage or question has the id {row_id!r}",
            expected="an id of build/ingest",
            where=str(layout.INGEST),
            next_step=f"jmlr data sample shows some; rows left out are in {layout.REJECTS}",
        )
    _print_passage(found[0])


def sample(settings: Settings, table: str, count: int, seed: int | None) -> None:
    """Prints `count` drawn rows of `table` (passages or questions); the same for the same seed."""
    draw = random.Random(settings.seed if seed is None else seed)
    if table == "questions":
        for question in _drawn(read_questions(layout.QUESTIONS), count, draw):
            _print_question(question)
    else:
        for passage in _drawn((one for batch in passage_batches(layout.PASSAGES) for one in batch), count, draw):
            _print_passage(passage)


def stats() -> None:
    """Prints how much came in from where, how long it is, and what was left out and why.

    Raises:
        MissingResource: if nothing was ingested yet.
    """
    if not layout.COUNTS.exists():
        raise MissingResource(
            "missing", expected="ingested data", where=str(layout.COUNTS), next_step="dvc repro ingest"
        )
    remedy = "dvc repro ingest"
    counts = read_json(layout.COUNTS, remedy)
    with reading(layout.COUNTS, remedy):
        tallies = (("left out", counts["rejected_by_reason"]), ("leaks of test questions", counts["leaks"]))
        repaired = counts["repaired"]
    CONSOLE.print(_passages_table())
    CONSOLE.print(_questions_table(read_questions(layout.QUESTIONS)))
    for title, found in tallies:
        if found:
            CONSOLE.print(_tally(title, found))
    CONSOLE.print(
        f"wrong characters repaired: {repaired['passages']:,} passages, {repaired['questions']:,} questions; "
        f"rows left out are listed in {layout.REJECTS}"
    )


def _passages_table() -> Table:
    words: dict[tuple[str, str], list[int]] = defaultdict(list)
    for batch in passage_batches(layout.PASSAGES):
        for passage in batch:
            words[passage.source, passage.licence].append(length_in_words(passage.text))
    table = _titled("passages", "source", "licence", "rows", "words, median", "words, 95 %", "longest")
    for (source, licence), lengths in sorted(words.items()):
        figures = [len(lengths), *np.percentile(lengths, [50, 95, 100]).round()]
        table.add_row(escape(source), escape(licence), *(f"{int(figure):,}" for figure in figures))
    return table


def _questions_table(questions: list[Question]) -> Table:
    table = _titled("questions", "source", "split", "rows", "options", "gold", "reasons", "right, %")
    groups: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.source, question.split].append(question)
    for (source, split), own in sorted(groups.items()):
        options = [len(question.options) for question in own]
        letters = Counter(OPTION_LETTERS[question.answer_index] for question in own)
        table.add_row(
            escape(source),
            split,
            f"{len(own):,}",
            f"{min(options)}" if min(options) == max(options) else f"{min(options)} to {max(options)}",
            f"{sum(bool(question.gold_passage_ids) for question in own):,}",
            f"{sum(bool(question.rationale) for question in own):,}",
            " ".join(f"{letter}{100 * count / len(own):.0f}" for letter, count in sorted(letters.items())),
        )
    return table


def _tally(title: str, found: dict[str, int]) -> Table:
    table = _titled(title, "why", "rows")
    for reason, count in sorted(found.items(), key=lambda item: -item[1]):
        table.add_row(escape(reason), f"{count:,}")
    return table


def _titled(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        is_figure = column not in ("source", "licence", "split", "why", "right, %")
        table.add_column(column, justify="right" if is_figure and number else "left", no_wrap=column != "why")
    return table


def _find(passage_ids: set[str]) -> Iterator[Passage]:
    for batch in passage_batches(layout.PASSAGES) if passage_ids else ():
        yield from (passage for passage in batch if passage.passage_id in passage_ids)


def _drawn(rows: Iterable[Row], count: int, draw: random.Random) -> list[Row]:
    """`count` of the rows in their order, all equally likely, without holding all of them."""
    kept: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        if len(kept) < count:
            kept.append((number, row))
        elif (place := draw.randrange(number + 1)) < count:
            kept[place] = (number, row)
    return [row for _, row in sorted(kept, key=lambda pair: pair[0])]


def _print_passage(passage: Passage) -> None:
    CONSOLE.print(Text.assemble((passage.passage_id, "bold cyan"), "  ", (passage.title, "bold")))
    origin = [f"{name} {getattr(passage, name)}" for name in _ORIGIN if getattr(passage, name)]
    CONSOLE.print(Text(f"  {'; '.join(origin)}; characters {passage.start} to {passage.end}", style="dim"))
    CONSOLE.print(Text(f"  {passage.text}\n"))


def _print_question(question: Question) -> None:
    CONSOLE.print(Text.assemble((question.question_id, "bold cyan"), f"  split {question.split}"))
    named = [("source", question.source), ("there", question.origin_id), ("type", question.question_type)]
    named += [("subject", question.subject), ("licence", question.licence)]
    CONSOLE.print(Text("  " + "; ".join(f"{name} {value}" for name, value in named if value), style="dim"))
    CONSOLE.print(Text(f"  {question.text}"))
    for number, option in enumerate(question.options):
        is_right = number == question.answer_index
        CONSOLE.print(
            Text(f"  {'*' if is_right else ' '} {OPTION_LETTERS[number]}. {option}", "green" if is_right else "")
        )
    if question.rationale:
        CONSOLE.print(Text(f"  because: {question.rationale}", style="italic"))
    CONSOLE.print(Text(f"  gold passages: {', '.join(question.gold_passage_ids) or 'none known'}\n"))
