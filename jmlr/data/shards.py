"""A unit of raw files read into a shard: its rows repaired, cut to length and sketched, in a folder of its own.

Shards depend on nothing but their unit, so processes and machines may make them side by side, and a shard that is there
needs not be made again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from tokenizers import Tokenizer

from jmlr.data.chunking import Budget, TokenCounter, chunk_passages
from jmlr.data.formats import FORMATS
from jmlr.data.repair import repaired_passage, repaired_question
from jmlr.data.rows import usable
from jmlr.data.tables import PASSAGE_SCHEMA, QUESTION_SCHEMA, REJECTED_SCHEMA
from jmlr.data.units import Unit
from jmlr.words import saying
from jmlr.files import making, write_json
from jmlr.types import Passage, Question, Rejected, Row

PASSAGES, QUESTIONS, REJECTED, SKETCHES, COUNTS = (
    *("passages.parquet", "questions.parquet", "rejected.parquet"),
    *("sketches.bin", "counts.json"),
)
SHARD_SCHEMA = PASSAGE_SCHEMA.append(pa.field("row_id", pa.string(), nullable=False))
"""Passages, and the id that each had before it was cut."""
SKETCH = np.dtype([(name, np.uint64) for name in ("id", "content", "saying", "row_saying")])
"""What merging compares passages by: numbers for the id, for all that is known of the passage, for what it says, and
for what the row says that it was cut from."""
_BATCH_ROWS, _BATCH_CHARACTERS = 4_000, 8_000_000
_SURE = 0.95
_LANGUAGE_CHARACTERS = 60
"""Of shorter texts the language is not told."""

Maker = Callable[[Unit], Path]


@dataclass(frozen=True)
class ShardMaker:
    """Makes the shard of a unit, if it is not there, and names its folder. Can be sent to other processes.

    Attributes:
        folder: where shards lie; all processes must see it.
        tokenizer: the retriever's, as the text of its tokenizer.json.
        budget: of a passage.
        languages: codes of those to keep; None: all.
    """

    folder: Path
    tokenizer: str
    budget: Budget
    languages: tuple[str, ...] | None

    def __call__(self, unit: Unit) -> Path:
        """The folder of the unit's shard.

        Raises:
            DataError: if a file is broken; then nothing is left of the shard.
        """
        place = self.place(unit)
        if not place.exists():
            are_drafts, counts = FORMATS[unit.source.format].finish is not None, Counter[str]()
            with making(place) as unfinished:
                self._write(self._rows(unit, counts), unit.origin, unfinished, are_drafts, counts)
        return place

    def place(self, unit: Unit) -> Path:
        """Where the unit's shard lies once it is made."""
        return self.folder / unit.key

    def missing(self, units: Iterable[Unit]) -> list[Unit]:
        """The units without a shard, in their order, one of those that would make the same shard."""
        return [unit for unit in {one.key: one for one in units}.values() if not self.place(unit).exists()]

    def of_passages(self, passages: Iterable[Passage], key: str, origin: str) -> Path:
        """The folder of a shard of passages that come from no file."""
        place = self.folder / key
        with making(place) as unfinished:
            self._write(((Path(origin), one) for one in passages), origin, unfinished, False, Counter())
        return place

    def _rows(self, unit: Unit, counts: Counter[str]) -> Iterator[tuple[Path, Row]]:
        for file in unit.files:
            for row in FORMATS[unit.source.format].load(file, unit.source):
                if _plays(row, unit.source.role):
                    yield file, row
                else:
                    counts["other_role"] += 1

    def _write(
        self, rows: Iterator[tuple[Path, Row]], origin: str, folder: Path, are_drafts: bool, counts: Counter[str]
    ) -> None:
        counter = TokenCounter(Tokenizer.from_str(self.tokenizer))
        writers = {
            Passage: pq.ParquetWriter(folder / PASSAGES, SHARD_SCHEMA),
            Question: pq.ParquetWriter(folder / QUESTIONS, QUESTION_SCHEMA),
            Rejected: pq.ParquetWriter(folder / REJECTED, REJECTED_SCHEMA),
        }
        with writers[Passage], writers[Question], writers[Rejected], (folder / SKETCHES).open("wb") as sketches:
            for batch in _batches(rows):
                sorted_rows = self._prepared(batch, counts, are_drafts)
                pieces = chunk_passages(sorted_rows[Passage], self.budget, counter)
                chunks = [piece for some in pieces for piece in some]
                parents = [parent for parent, some in zip(sorted_rows[Passage], pieces, strict=True) for _ in some]
                sketches.write(sketch(chunks, parents, origin).tobytes())
                tables: dict[type, list[dict[str, Any]]] = {
                    kind: [vars(row) for row in sorted_rows[kind]] for kind in (Question, Rejected)
                }
                tables[Passage] = [
                    {**vars(one), "row_id": parent.passage_id} for one, parent in zip(chunks, parents, strict=True)
                ]
                for kind, table in tables.items():
                    counts[kind.__name__.lower()] += len(table)
                    writers[kind].write_table(pa.Table.from_pylist(table, schema=writers[kind].schema))
        write_json(folder / COUNTS, dict(counts))

    def _prepared(self, batch: list[tuple[Path, Row]], counts: Counter[str], are_drafts: bool) -> dict[type, list[Any]]:
        """The rows of a batch by kind, repaired; what cannot be used then is rejected, drafts of questions left out."""
        by_kind: dict[type, list[Any]] = {Passage: [], Question: [], Rejected: []}
        for file, row in batch:
            ready: Row = row
            if not isinstance(row, Rejected):
                ready = repaired_passage(row) if isinstance(row, Passage) else repaired_question(row)
            if ready is not row and not isinstance(ready, Rejected):
                counts[f"repaired_{type(row).__name__.lower()}"] += 1
                place = ready.passage_id if isinstance(ready, Passage) else ready.question_id
                is_draft = are_drafts and isinstance(ready, Question)
                ready = ready if is_draft else usable(ready, file, place)
            if isinstance(ready, Passage) and (other := self._other_language(ready.text)):
                ready = Rejected(file.as_posix(), ready.passage_id, f"language {other}", ready.text[:80])
            by_kind[type(ready)].append(ready)
        return by_kind

    def _other_language(self, text: str) -> str:
        """The code of a language that is not to be kept; empty where the text is kept, or its language uncertain."""
        if self.languages is None or len(text) < _LANGUAGE_CHARACTERS:
            return ""
        code, probability = _identifier().classify(text)
        return code if code not in self.languages and probability >= _SURE else ""


@cache
def _identifier() -> Any:
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def _batches(rows: Iterable[tuple[Path, Row]]) -> Iterator[list[tuple[Path, Row]]]:
    """The rows in lists that fit into memory, whether they are sentences or books."""
    batch: list[tuple[Path, Row]] = []
    characters = 0
    for file, row in rows:
        batch.append((file, row))
        characters += 0 if isinstance(row, Rejected) else len(row.text)
        if len(batch) == _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _plays(row: Row, role: str) -> bool:
    """Whether a source of this role gives this row."""
    other = {"passages": Question, "questions": Passage}.get(role)
    return other is None or not isinstance(row, other)


def sketch(passages: Sequence[Passage], parents: Sequence[Passage], origin: str) -> np.ndarray:
    """What merging compares passages by, SKETCH (N,).

    Args:
        passages: N of them.
        parents: what each was cut from, or itself.
        origin: the source; rows of two sources never count as repeated.
    """
    made = np.empty(len(passages), SKETCH)
    made["id"] = [xxhash.xxh3_64_intdigest(one.passage_id.encode()) for one in passages]
    contents = ("\x00".join(map(str, (origin, *vars(one).values()))) for one in passages)
    made["content"] = [xxhash.xxh3_64_intdigest(content.encode()) for content in contents]
    whole = {id(one): saying(one.title, one.text) for one in {id(one): one for one in parents}.values()}
    made["row_saying"] = [whole[id(one)] for one in parents]
    made["saying"] = [
        whole[id(row)] if one.text == row.text else saying(one.title, one.text)
        for one, row in zip(passages, parents, strict=True)
    ]
    return made
