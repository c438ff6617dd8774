"""The blocks of params.yaml on data: ingest and validate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from jmlr.settings.values import Below, Block, Count, Language, Name, NonzeroShare, Share, Some, setting
from jmlr.types import OPTION_LETTERS

Format = Literal["jsonl", "text", "medquad", "pubmedqa", "medqa", "medmcqa", "mmlu", "mirage", "jmlr"]
"""All formats of raw data; `jmlr.data.formats` reads them."""
Severity = Annotated[
    Literal["critical", "warning", "off"], BeforeValidator(lambda given: "off" if given is False else given)
]
"""YAML takes a bare `off` for false."""


class SourceSettings(Block):
    """One raw source."""

    path: Below = setting(..., "File, folder or glob below `ingest.root`; a folder means all its files of the format.")
    format: Format = setting(..., "Format of the files: [docs/data.md](data.md).")
    licence: Name = setting(..., "Licence of the source; every row carries it.")
    role: Literal["any", "passages", "questions"] = setting("any", "Which rows are taken.", may_be_left_out=True)
    split: Literal["auto", "deal", "train", "dev", "test"] = setting(
        "auto", "auto: the source's own, drawn where it has none; deal: always drawn.", may_be_left_out=True
    )


class LeakageSettings(Block):
    """When a test question has leaked."""

    similar_questions: float = setting(
        0.9, "Share of word triples (Jaccard) that it has in common with a training question.", ge=0.8, le=1
    )
    ngram_words: int = setting(
        13, "Length of the word runs looked for in documents; twice as many characters in scripts without spaces.", ge=3
    )
    covered_share: NonzeroShare = setting(
        0.5, "Share of its runs, or of its explanation's, that one document contains."
    )
    drop_from_training: bool = setting(
        False, "Leave out training and dev questions that are also test questions.", may_be_left_out=True
    )


class IngestSettings(Block):
    """Raw files to tables."""

    root: Name = setting("data", "Folder of the sources; the pipeline depends on it.")
    sources: Some[SourceSettings] = setting((), "List of sources, each with path, format, licence, role and split.")
    passage_tokens: int = setting(
        90, "Longer texts are cut into passages of so many retriever tokens, title included.", ge=20
    )
    overlap_tokens: int = setting(20, "Shared by neighbouring passages; at most half of `passage_tokens`.", ge=0)
    drop_copies: bool = setting(True, "Keep one of passages that differ only in case, spaces or punctuation.")
    languages: Some[Language] | None = setting(
        None, "ISO 639-1 codes; passages surely in another language are left out. null: all are kept."
    )
    rationales_as_passages: bool = setting(False, "Explanations of training questions become passages.")
    leakage: LeakageSettings
    dev_fraction: float = setting(0.1, "Share of subjects for dev, where a source has no split of its own.", ge=0, lt=1)
    test_fraction: float = setting(0.25, "The same for test; together below 1.", ge=0, lt=1)
    max_questions: Count | None = setting(
        None, "Keep at most this many, not below `validate.min_questions`. null: all."
    )
    max_passages: Count | None = setting(None, "The same, gold passages first. null: all.")


class CutSettings(Block):
    """Largest shares of texts that retriever or reader cut."""

    questions: Share = setting(0.05, "Share of questions that a model may cut: [docs/data.md](data.md#what-is-cut).")
    passages: Share = setting(0.05, "The same of passages, which lose their end.")
    options: Share = setting(0.05, "Share of questions with an option longer than `prompt.answer_tokens`.")
    tied_options: Share = setting(0.0, "Share of questions with options that are equal to the reader once cut.")
    rationales: Share = setting(0.05, "Share of taught rationales that may be cut.")


class ValidateSettings(Block):
    """Bounds of the data checks; a broken critical one stops the pipeline."""

    min_passages: Count = setting(50, "Fewest passages.")
    min_questions: Count = setting(50, "Fewest questions.")
    min_options: int = setting(2, "Fewest options of a question.", ge=2, le=len(OPTION_LETTERS))
    max_passage_tokens: Count = setting(512, "Longest passage in retriever tokens, title included.")
    max_answer_letter_share: NonzeroShare = setting(0.6, "Share of questions whose right answer has the same letter.")
    max_leaked_fraction: Share = setting(
        0.0, "Largest share of test questions found in training questions, or in passages."
    )
    max_cut: CutSettings
    max_drift: NonzeroShare = setting(0.2, "Jensen-Shannon distance of a feature from the data accepted last.")
    severities: dict[str, Severity] = setting(
        {}, "Other severities of expectations, by [name](data.md#what-validate-expects): critical, warning or off."
    )
