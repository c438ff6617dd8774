"""Stage validate: Great Expectations over both tables; a broken critical expectation stops the pipeline."""

from __future__ import annotations

import os
import shutil

from jmlr.config import Settings
from jmlr.data.tables import read_passages, read_questions
from jmlr.files import write_json
from jmlr.stages import layout
from jmlr.stages.console import CONSOLE
from jmlr.validation.checkpoint import run_checkpoint
from jmlr.validation.data_docs import make_self_contained
from jmlr.validation.frames import frames_of
from jmlr.validation.report import broken, lines, refuse_broken, report


def run(settings: Settings) -> None:
    """Writes build/validate: report.json and data_docs/index.html, also when the data are broken.

    Raises:
        DataError: if a table is missing or has another schema.
        ValidationFailed: if a critical expectation fails, with its first rows.
    """
    passages, questions = read_passages(layout.PASSAGES), read_questions(layout.QUESTIONS)
    unfinished = layout.VALIDATE / ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    outcomes = run_checkpoint(frames_of(passages, questions), settings.validate_, unfinished)
    make_self_contained(unfinished, outcomes)
    shutil.rmtree(layout.DATA_DOCS, ignore_errors=True)
    os.replace(unfinished, layout.DATA_DOCS)
    write_json(layout.VALIDATION_REPORT, report(outcomes, settings.validate_))
    for outcome in broken(outcomes, "warning"):
        CONSOLE.print(f"warning: {lines(outcome)[0]}")
    refuse_broken(outcomes, str(layout.DATA_DOCS / "index.html"))
    CONSOLE.print(f"{len(outcomes)} expectations checked, none critical fails; {layout.DATA_DOCS / 'index.html'}")
