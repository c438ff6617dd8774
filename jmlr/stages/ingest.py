"""Stage ingest: raw files to the passages and questions tables."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from typing import Any

from jmlr.config import Settings
from jmlr.data.ingest import counts, ingest
from jmlr.data.tables import write_passages, write_questions
from jmlr.files import write_json, write_text
from jmlr.stages import layout
from jmlr.stages.console import CONSOLE
from jmlr.types import Rejected


def _rejects_csv(rejected: list[Rejected]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [entry.name for entry in fields(Rejected)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rejected)
    return text.getvalue()


def _report(found: dict[str, Any]) -> None:
    splits = ", ".join(f"{count} {split}" for split, count in found["questions_by_split"].items())
    CONSOLE.print(f"{found['passages']:,} passages, {found['questions']:,} questions ({splits})")
    for reason, count in found["rejected_by_reason"].items():
        CONSOLE.print(f"  rejected {count:,}: {reason}")
    if found["rejected"]:
        CONSOLE.print(f"  each with file and row in {layout.REJECTS}")


def run(settings: Settings) -> None:
    """Writes build/ingest: passages.parquet, questions.parquet, rejects.csv, counts.json.

    Raises:
        DataError: if a source is missing, broken or empty.
    """
    ingested = ingest(settings.ingest, settings.seed)
    found = counts(ingested)
    write_passages(layout.PASSAGES, ingested.passages)
    write_questions(layout.QUESTIONS, ingested.questions)
    write_text(layout.REJECTS, _rejects_csv(ingested.rejected))
    write_json(layout.COUNTS, found)
    _report(found)
