"""The questions of all sources, with unique ids, dealt to splits, and with gold passages that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jmlr.settings import IngestSettings
from jmlr.data.chunking import gold_chunks
from jmlr.data.formats import FORMATS
from jmlr.data.leakage import without_test_questions
from jmlr.data.merged import Merged
from jmlr.data.splits import deal
from jmlr.data.units import Unit
from jmlr.errors import DataError
from jmlr.types import Question, Rejected


def same_id(row_id: str, first: str, second: str) -> DataError:
    """The error for an id that two rows share."""
    return DataError(
        f"id {row_id!r} comes twice, from {first} and {second}",
        expected="ids that differ",
        where=second,
        next_step="rename one, or drop one of the sources from ingest.sources",
    )


def gather(
    merged: Merged, units: Sequence[Unit], settings: IngestSettings, seed: int
) -> tuple[list[Question], list[Rejected]]:
    """All questions with their splits, in the order of the sources, and those that cannot be used.

    Args:
        merged: the shards of `units`.
        units: all, in the order of the sources.
        settings: the block `ingest`.
        seed: of what is drawn.

    Raises:
        DataError: if two questions or two sources share an id.
    """
    owners: dict[str, tuple[Question, str]] = {}
    questions: list[Question] = []
    rejected: list[Rejected] = []
    for source in settings.sources:
        numbers = [number for number, unit in enumerate(units) if unit.source is source]
        found = [question for number in numbers for question in merged.questions(number)]
        data_format = FORMATS[source.format]
        if data_format.finish is not None:
            found, unfit = data_format.finish(found, seed)
            rejected += unfit
        if source.split != "auto":
            given = "" if source.split == "deal" else source.split
            found = [replace(question, split=given) for question in found]
        taken = _take(found, units[numbers[0]].origin, owners, rejected)
        questions += deal(taken, data_format.group, settings, seed)
    if settings.leakage.drop_from_training:
        questions, found_again = without_test_questions(questions, settings.leakage)
        rejected += found_again
    return questions, rejected


def _take(
    found: Sequence[Question], origin: str, owners: dict[str, tuple[Question, str]], rejected: list[Rejected]
) -> list[Question]:
    """The questions with new ids, which enter `owners`; an exact repetition within a source is rejected."""
    taken = []
    for question in found:
        earlier, place = owners.setdefault(question.question_id, (question, origin))
        if earlier is question:
            taken.append(question)
        elif replace(earlier, origin_id="") != replace(question, origin_id="") or place != origin:
            raise same_id(question.question_id, place, origin)
        else:
            rejected.append(Rejected(origin, question.question_id, "duplicated question"))
    return taken


def with_gold(
    questions: Sequence[Question], merged: Merged, stands_for: np.ndarray, withdrawn: np.ndarray
) -> tuple[list[Question], np.ndarray]:
    """The questions with the gold passages left after cutting and removing copies, and the rows of these.

    An unknown gold id stays, for validation to report; a withdrawn one is dropped.

    Args:
        questions: gold passages by the ids of their source.
        merged: all passages, N.
        stands_for: for each the row that is kept for it, int64 (N,); -1 for a repeated one.
        withdrawn: rows that are left out as withdrawn, bool (N,).
    """
    chunks = merged.chunks_of(gold_id for question in questions for gold_id in question.gold_passage_ids)
    row_of = {chunk.passage_id: row for found in chunks.values() for row, chunk in found if stands_for[row] >= 0}
    mapped: list[list[int | str]] = []
    for question in questions:
        gold: dict[int | str, None] = {}
        for gold_id in question.gold_passage_ids:
            own = [chunk for row, chunk in chunks.get(gold_id, ()) if stands_for[row] >= 0]
            held = [int(stands_for[row_of[one]]) for one in gold_chunks(question, own)]
            gold.update(dict.fromkeys([row for row in held if not withdrawn[row]] if held else [gold_id]))
        mapped.append(list(gold))
    rows = np.array(sorted({place for places in mapped for place in places if isinstance(place, int)}), np.int64)
    ids = merged.ids(rows)
    named = [tuple(ids[place] if isinstance(place, int) else place for place in places) for places in mapped]
    return [replace(one, gold_passage_ids=gold) for one, gold in zip(questions, named, strict=True)], rows
