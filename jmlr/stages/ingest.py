"""Stage ingest: raw files to the passages and questions tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jmlr.console import CONSOLE
from jmlr.data.ingest import Places, ingest, shard_maker
from jmlr.data.runners import RunInProcesses
from jmlr.data.shards import ShardMaker
from jmlr.data.units import Unit, units_of
from jmlr.files import making
from jmlr.models.encoder import tokenizer_text
from jmlr.settings import Settings
from jmlr.stages import layout


def places_in(folder: Path) -> Places:
    """Where ingest writes, the tables below `folder`."""
    named = (layout.PASSAGES, layout.QUESTIONS, layout.LEAKS, layout.REJECTS, layout.COUNTS)
    return Places(layout.SHARDS, *(folder / path.name for path in named))


def run(settings: Settings, workers: int | None = None) -> None:
    """Writes build/ingest: passages.parquet, questions.parquet, leaks.parquet, rejects.csv, counts.json.

    Args:
        settings: all of params.yaml.
        workers: processes that read; None: one a core.

    Raises:
        DataError: if a source is missing, broken or empty.
    """
    tokenizer = tokenizer_text(settings.base.retriever)
    runner = RunInProcesses(workers or os.cpu_count() or 1)
    with making(layout.INGEST) as folder:
        found = ingest(settings.ingest, settings.seed, tokenizer, places_in(folder), runner)
    _report(found)


def shards_to_make(settings: Settings) -> tuple[ShardMaker, list[Unit]]:
    """What makes shards of the raw files, and the units whose shards are not there yet.

    Raises:
        DataError: if a source is missing.
    """
    tokenizer = tokenizer_text(settings.base.retriever)
    maker = shard_maker(settings.ingest, tokenizer, layout.SHARDS)
    return maker, maker.missing(units_of(settings.ingest, tokenizer))


def _report(found: dict[str, Any]) -> None:
    splits = ", ".join(f"{count:,} {split}" for split, count in found["questions_by_split"].items())
    CONSOLE.print(f"{found['passages']:,} passages, {found['questions']:,} questions ({splits or 'none'})")
    for reason, count in found["rejected_by_reason"].items():
        CONSOLE.print(f"  left out {count:,}: {reason}")
    if found["rejected"]:
        CONSOLE.print(f"  each with file and row in {layout.REJECTS}")
    if found["rows_of_other_role"]:
        CONSOLE.print(f"  passed over {found['rows_of_other_role']:,} rows that the role of their source leaves out")
    for what, count in found.get("not_drawn", {}).items():
        if count:
            CONSOLE.print(f"  not drawn, by ingest.max_{what}: {count:,} {what}")
    if any(found["repaired"].values()):
        passages, questions = found["repaired"]["passages"], found["repaired"]["questions"]
        CONSOLE.print(f"  wrong characters repaired in {passages:,} passages and {questions:,} questions")
    for where, count in found["leaks"].items():
        CONSOLE.print(f"  test questions that leak, {count:,}: {where} (listed in {layout.LEAKS})")
