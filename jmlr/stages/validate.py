"""Stage validate: Great Expectations over the tables; a broken critical expectation stops the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from tokenizers import Tokenizer

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.data.tables import passage_batches, read_leaks, read_passages, read_questions
from jmlr.files import making, write_json
from jmlr.models.cuts import Cuts
from jmlr.models.encoder import tokenizer_text
from jmlr.models.prompt import PromptWriter
from jmlr.models.reader import load_tokenizer
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.starter.tokenizer import make_tokenizer, texts_of
from jmlr.types import Passage, Question
from jmlr.validation.checkpoint import Batches, run_checkpoint
from jmlr.validation.data_docs import make_self_contained
from jmlr.validation.drift import Comparison, compare, read_profile
from jmlr.validation.expectations import Table, refuse_unknown_severities
from jmlr.validation.frames import passages_frame, questions_frame
from jmlr.validation.identities import Identities
from jmlr.validation.outcome import Outcome
from jmlr.validation.profile import Profile
from jmlr.validation.report import broken, lines, refuse_broken, report

ROWS_AT_ONCE = 50_000
"""Passages in memory at once."""


def _survey(questions: Sequence[Question]) -> tuple[Identities, Profile]:
    """The ids of all passages and the profile of both tables, in one pass."""
    known, profile = Identities(), Profile()
    for batch in passage_batches(layout.PASSAGES):
        known.add([passage.passage_id for passage in batch])
        profile.add_passages(batch)
    profile.add_questions(questions)
    return known, profile


def _cuts(settings: Settings, questions: Sequence[Question]) -> Cuts:
    """With the tokenizers of the models that stage base will make."""
    reader = settings.base.reader
    retriever = Tokenizer.from_str(tokenizer_text(settings.base.retriever))
    if reader.source == "starter":
        texts = texts_of(read_passages(layout.PASSAGES), questions)
        _, tokenizer = make_tokenizer(texts, reader.starter.vocabulary_tokens, settings.seed)
    else:
        place = fingerprint.pinned_folder(reader.source, reader.revision)
        tokenizer = load_tokenizer(str(place or reader.source), None if place else reader.revision)
    return Cuts(retriever, settings.index, PromptWriter(tokenizer, settings.prompt))


def _passages_frames(known: Identities, cuts: Cuts) -> Iterator[pd.DataFrame]:
    """Frames of ROWS_AT_ONCE passages, whatever batches the table comes in; one without rows if the table has none."""
    held: list[Passage] = []
    for batch in passage_batches(layout.PASSAGES):
        held += batch
        while len(held) >= ROWS_AT_ONCE:
            yield _passages_frame(held[:ROWS_AT_ONCE], known, cuts)
            del held[:ROWS_AT_ONCE]
    if held or not len(known):
        yield _passages_frame(held, known, cuts)


def _passages_frame(passages: Sequence[Passage], known: Identities, cuts: Cuts) -> pd.DataFrame:
    return passages_frame(passages, known).assign(**cuts.of_passages(passages))


def _tables(questions: Sequence[Question], known: Identities, drift: Comparison, cuts: Cuts) -> dict[Table, Batches]:
    asked = questions_frame(questions, known, read_leaks(layout.LEAKS)).assign(**cuts.of_questions(questions))
    tables: dict[Table, Batches] = {
        "passages": Batches(len(known), ROWS_AT_ONCE, _passages_frames(known, cuts)),
        "questions": Batches(len(asked), len(asked), [asked]),
    }
    if drift.rows:
        tables["drift"] = Batches(len(drift.rows), len(drift.rows), [drift.frame()])
    return tables


def _tell(outcomes: Sequence[Outcome], drift: Comparison) -> None:
    for outcome in broken(outcomes, "warning"):
        for line in lines(outcome) if outcome.table == "drift" else lines(outcome)[:1]:
            CONSOLE.print(f"warning: {line}" if not line.startswith(" ") else line)
    if not drift.rows:
        CONSOLE.print(drift.note)


def run(settings: Settings) -> None:
    """Writes build/validate: report.json, profile.json and data_docs/index.html, also when the data are broken.

    If no critical expectation fails, passed.json besides. Later stages depend on it alone, so that data accepted or a
    bound moved afterwards do not train anything again.

    Raises:
        ConfigError: if `validate.severities` names an unknown expectation.
        DataError: if a table is missing or has another schema, or the accepted profile is none.
        MissingResource: if the tokenizer of retriever or reader cannot be had.
        ValidationFailed: if a critical expectation fails, with its first rows.
    """
    refuse_unknown_severities(settings.validate_)
    accepted, questions = read_profile(layout.ACCEPTED_PROFILE), read_questions(layout.QUESTIONS)
    known, surveyed = _survey(questions)
    profile = surveyed.as_json(settings.recipe)
    drift = compare(accepted, profile, settings.validate_.max_drift)
    tables = _tables(questions, known, drift, _cuts(settings, questions))
    for old in (layout.VALIDATION_REPORT, layout.PASSED):  # their success would be taken for that of the new profile
        old.unlink(missing_ok=True)
    with making(layout.DATA_DOCS) as unfinished:
        outcomes = run_checkpoint(tables, settings.validate_, unfinished)
        make_self_contained(unfinished, outcomes, drift)
    write_json(layout.PROFILE, profile)
    write_json(layout.VALIDATION_REPORT, report(outcomes, settings.validate_, drift))
    _tell(outcomes, drift)
    refuse_broken(outcomes, str(layout.DATA_DOCS / "index.html"))
    write_json(layout.PASSED, {"passed": True})
    CONSOLE.print(f"{len(outcomes)} expectations checked, none critical fails; {layout.DATA_DOCS / 'index.html'}")
