"""Turns raw sources into passages and questions; memory does not grow with the passages' text."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from jmlr.settings import IngestSettings
from jmlr.data.chunking import Budget
from jmlr.data.duplicates import first_that_says, repeated_ids
from jmlr.data.leakage import PassageScreen, leaks_from_training
from jmlr.data.left_out import RATIONALE, LeftOut
from jmlr.data.merged import Merged
from jmlr.data.questions import gather, same_id, with_gold
from jmlr.data.shards import COUNTS, Maker, ShardMaker
from jmlr.data.splits import draw_order, fewer_questions
from jmlr.data.tables import PASSAGE_SCHEMA, write_leaks, write_questions
from jmlr.data.units import Unit, passed_over, units_of
from jmlr.data.withdrawal import WITHDRAWN_FILE, read, standing
from jmlr.errors import DataError
from jmlr.files import replacing, write_json
from jmlr.types import Leak, Passage, Question, Rejected

Runner = Callable[[Maker, Sequence[Unit]], Iterable[Path]]
"""Calls a maker for each unit, here or elsewhere, and yields the shards as they are made."""
_BLOCK_ROWS = 100_000


@dataclass(frozen=True)
class Places:
    """Where the tables, lists and shards are written, and the file of withdrawn items."""

    shards: Path
    passages: Path
    questions: Path
    leaks: Path
    rejects: Path
    counts: Path
    withdrawn: Path = WITHDRAWN_FILE


def ingest(settings: IngestSettings, seed: int, tokenizer: str, places: Places, run: Runner) -> dict[str, Any]:
    """Writes passages, questions, leaks, rejects and counts; the same for the same seed and files, however it is run.

    Args:
        settings: the block `ingest`.
        seed: of what is drawn.
        tokenizer: the retriever's, as the text of its tokenizer.json.
        places: of what is written; shards are kept for the next run, unused ones removed.
        run: makes the shards.

    Returns:
        How many rows there are, by split, source and reason of rejection; what `places.counts` holds.

    Raises:
        DataError: if a source is missing, broken or empty, an id comes twice, or withdrawn.yaml is broken.
    """
    withdrawn = standing(read(places.withdrawn))
    maker, units = shard_maker(settings, tokenizer, places.shards), units_of(settings, tokenizer)
    deque(run(maker, maker.missing(units)), maxlen=0)
    folders = [maker.place(unit) for unit in units]
    origins = [unit.origin for unit in units]
    counted = [json.loads((folder / COUNTS).read_text(encoding="utf-8")) for folder in folders]
    _refuse_empty(folders, origins, counted)
    questions, unfit = gather(Merged(folders, origins), units, settings, seed)
    gathered = len(questions)
    questions = fewer_questions(questions, settings.max_questions, seed)
    not_drawn = {"questions": gathered - len(questions)}
    if settings.rationales_as_passages and (rationales := list(_rationales(questions))):
        origins.append("rationales of training questions")
        folders.append(maker.of_passages(rationales, "rationales", origins[-1]))
    merged = Merged(folders, origins)
    left_out = LeftOut(merged, withdrawn)
    repeated = _repeated(merged)
    left_out.take_copies(repeated)
    # A withdrawn passage neither is nor has a copy.
    apart = repeated | left_out.rows if settings.drop_copies else np.ones(len(merged), bool)
    stands_for = first_that_says(merged.column("saying"), apart)
    stands_for[repeated] = -1
    grounded, gold = with_gold(questions, merged, stands_for, left_out.rows)
    questions = left_out.take_questions(questions, grounded)
    whole = stands_for == np.arange(len(merged))
    kept = _fewer_passages(merged, whole & ~left_out.rows, gold, settings.max_passages, seed)
    not_drawn["passages"] = int((whole & ~left_out.rows).sum() - kept.sum())
    by_source = _write_passages(merged, kept, places.passages)
    passages = _as_cut(merged, kept, stands_for)
    leaks = [
        *leaks_from_training(questions, settings.leakage),
        *PassageScreen(questions, settings.leakage).leaks(passages),
    ]
    write_questions(places.questions, questions)
    write_leaks(places.leaks, leaks)
    lists = [passed_over(settings, units), merged.rejected(), unfit, _copies(merged, stands_for), left_out.rejected()]
    reasons = _write_rejects(places.rejects, lists)
    found = {**_counts(questions, by_source, reasons, leaks), "repaired": _repaired(counted), "rows_of_other_role": sum(counts.get("other_role", 0) for counts in counted), **left_out.counts()}
    found |= {"not_drawn": not_drawn} if any(not_drawn.values()) else {}
    write_json(places.counts, found)
    _forget(places.shards, folders)
    return found


def shard_maker(settings: IngestSettings, tokenizer: str, folder: Path) -> ShardMaker:
    """What makes the shards of a block `ingest`, in `folder`; `tokenizer` as for `ingest`."""
    budget = Budget(settings.passage_tokens, settings.overlap_tokens)
    return ShardMaker(folder, tokenizer, budget, settings.languages)


def _refuse_empty(folders: Sequence[Path], origins: Sequence[str], counted: Sequence[dict[str, int]]) -> None:
    """Raises an error for a source without a usable row."""
    usable, reasons = Counter[str](), {origin: Counter[str]() for origin in origins}
    for folder, origin, counts in zip(folders, origins, counted, strict=True):
        usable[origin] += counts.get("passage", 0) + counts.get("question", 0)
        if not usable[origin]:
            reasons[origin].update(row.reason for row in Merged([folder], [origin]).rejected())
    for origin in reasons:
        if not usable[origin]:
            named = ", ".join(f"{count} x {reason}" for reason, count in reasons[origin].most_common())
            raise DataError(
                f"no usable row ({named or 'none at all'})",
                expected="at least one passage or question",
                where=origin,
                next_step="fix its rows, or take it out of ingest.sources",
            )


def _rationales(questions: Sequence[Question]) -> Iterator[Passage]:
    """The explanations of training questions as passages; never those of dev or test."""
    for question in questions:
        if question.split == "train" and question.rationale:
            yield Passage(
                passage_id=f"{RATIONALE}{question.question_id}",
                text=question.rationale,
                source=f"{question.source}/rationales",
                document_id=question.question_id,
                section="rationale",
                licence=question.licence,
            )


def _repeated(merged: Merged) -> np.ndarray:
    """The rows whose id came before, with the same content, bool (N,).

    Raises:
        DataError: if the content differs, naming the ids that the files have.
    """
    repeated, clash = repeated_ids(merged.column("id"), merged.column("content"))
    if clash is None:
        return repeated
    earlier, later = clash
    passage_id = merged.ids(np.array([later]))[later]
    named = merged.ids(np.array(clash), "row_id")
    if named[earlier] == named[later]:
        raise same_id(named[later], *map(merged.origin, clash))
    cut, whole = sorted(clash, key=lambda row: named[row] == passage_id)
    raise DataError(
        f"passage {named[cut]!r} is longer than ingest.passage_tokens, and a piece of it is called {passage_id!r}",
        expected=f"no passage {named[whole]!r} besides",
        where=f"{merged.origin(cut)} and {merged.origin(whole)}",
        next_step=f"rename {named[whole]!r} there: ids that end in # and a number are those of pieces",
    )


def _fewer_passages(merged: Merged, kept: np.ndarray, gold: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    """`kept`, bool (N,), limited to `most` passages: the gold ones first, the others drawn with the seed."""
    if most is None or kept.sum() <= most:
        return kept
    if len(gold) > most:
        raise DataError(
            f"the questions have {len(gold)} gold passages",
            expected=f"at most ingest.max_passages ({most})",
            where="ingest.max_passages",
            next_step="raise ingest.max_passages or lower ingest.max_questions",
        )
    keys = merged.numbered(lambda passage_id: int(draw_order(seed, passage_id)[:16], 16))
    keys[gold] = 0
    rows = np.flatnonzero(kept)
    chosen = np.zeros(len(kept), bool)
    chosen[rows[np.argsort(keys[rows], kind="stable")[:most]]] = True
    return chosen


def _write_passages(merged: Merged, kept: np.ndarray, path: Path) -> Counter[str]:
    """Writes the passages selected by `kept`; returns how many each source has."""
    by_source = Counter[str]()
    with replacing(path) as unfinished, pq.ParquetWriter(unfinished, PASSAGE_SCHEMA) as writer:
        for table in merged.tables(kept):
            writer.write_table(table)
            by_source.update(table["source"].to_pylist())
    return by_source


def _as_cut(merged: Merged, kept: np.ndarray, stands_for: np.ndarray) -> Iterator[Passage]:
    """The readable passages, document by document, as they were before copies were left out.

    A copy has no id: its document contains its text, but the table has it under another id.
    """
    readable = (stands_for >= 0) & kept[stands_for]
    named, number = kept[readable], 0
    for table in merged.tables(readable):
        for row in table.to_pylist():
            if named[number] or row["document_id"]:
                yield Passage(**row if named[number] else {**row, "passage_id": ""})
            number += 1


def _copies(merged: Merged, stands_for: np.ndarray) -> Iterator[Rejected]:
    """The passages that are left out because an earlier one says the same."""
    rows = np.flatnonzero(stands_for != np.arange(len(merged)))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        held = stands_for[block]
        ids = merged.ids(np.unique(np.concatenate([block, held[held >= 0]])))
        for row, other in zip(block.tolist(), held.tolist(), strict=True):
            reason = "duplicated passage" if other < 0 else "says the same as another passage"
            yield Rejected(merged.origin(row), ids[row], reason, "" if other < 0 else ids[other])


def _write_rejects(path: Path, lists: Iterable[Iterable[Rejected]]) -> Counter[str]:
    """Writes the rejected rows as CSV; returns how many there are for each reason."""
    reasons = Counter[str]()
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([entry.name for entry in fields(Rejected)])
        for row in chain.from_iterable(lists):
            writer.writerow(astuple(row))
            reasons[row.reason] += 1
    return reasons


def _counts(
    questions: Sequence[Question], by_source: Counter[str], reasons: Counter[str], leaks: Sequence[Leak]
) -> dict[str, Any]:
    def tally(values: Iterable[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items()))

    return {
        "passages": by_source.total(),
        "questions": len(questions),
        "rejected": reasons.total(),
        "questions_with_gold": sum(bool(question.gold_passage_ids) for question in questions),
        "questions_by_split": tally(question.split for question in questions),
        "questions_by_source": tally(question.source for question in questions),
        "passages_by_source": dict(sorted(by_source.items())),
        "rejected_by_reason": dict(sorted(reasons.items())),
        "leaks": tally(f"{leak.part} in {leak.found_in}, {leak.match}" for leak in leaks),
    }


def _repaired(counted: Sequence[dict[str, int]]) -> dict[str, int]:
    """How many passages and questions had wrong characters that were repaired."""
    total = Counter[str]()
    for counts in counted:
        total.update(counts)
    return {"passages": total["repaired_passage"], "questions": total["repaired_question"]}


def _forget(shards: Path, used: Sequence[Path]) -> None:
    """Removes shards that these sources and settings do not use."""
    for folder in set(shards.iterdir()) - set(used):
        shutil.rmtree(folder, ignore_errors=True)
