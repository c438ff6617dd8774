"""The blocks of params.yaml on data: ingest and validate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from jmlr.settings.values import Below, Block, Distinct, Language, Name
from jmlr.types import OPTION_LETTERS

Format = Literal["jsonl", "text", "medquad", "pubmedqa", "medqa", "medmcqa", "mmlu", "mirage", "jmlr"]
Severity = Annotated[
    Literal["critical", "warning", "off"], BeforeValidator(lambda given: "off" if given is False else given)
]
"""YAML takes a bare `off` for false."""


class SourceSettings(Block):
    """One raw source: a file, a folder or a glob below `ingest.root`; `role`: which of its rows are taken.

    `split`: auto: the source's own, dealt where it has none; deal: dealt whatever the source says.
    """

    path: Below
    format: Format
    licence: Name
    role: Literal["any", "passages", "questions"] = "any"
    split: Literal["auto", "deal", "train", "dev", "test"] = "auto"


class LeakageSettings(Block):
    """When a test question has leaked.

    `similar_questions`: it and a training question share this much of their word triples (Jaccard). `ngram_words`,
    `covered_share`: one document holds this share of its runs of so many words, or of its explanation's.
    `drop_from_training`: training and dev questions that are test questions too are left out.
    """

    similar_questions: float = Field(ge=0.8, le=1)
    ngram_words: int = Field(ge=3)
    covered_share: float = Field(gt=0, le=1)
    drop_from_training: bool = False


class IngestSettings(Block):
    """Raw files to tables. Lengths are tokens of the retriever's tokenizer, fractions are of subjects.

    `drop_copies`: of passages that say the same, but for case, spaces and stops, the first is kept; false: all are.
    `languages`: ISO 639-1 codes of passages to keep; null: all. `rationales_as_passages`: those of split train alone.
    """

    root: Name
    sources: Annotated[tuple[SourceSettings, ...], Field(min_length=1), Distinct]
    passage_tokens: int = Field(ge=20)
    overlap_tokens: int = Field(ge=0)
    drop_copies: bool
    languages: Annotated[tuple[Language, ...], Field(min_length=1), Distinct] | None
    rationales_as_passages: bool
    leakage: LeakageSettings
    dev_fraction: float = Field(ge=0, lt=1)
    test_fraction: float = Field(ge=0, lt=1)
    max_questions: int | None = Field(ge=1)
    max_passages: int | None = Field(ge=1)


class CutSettings(Block):
    """Largest shares (0 to 1) of texts that retriever or reader cut.

    `questions` keep their end, the others their beginning. `options`: of questions with a cut option; `tied_options`:
    of questions with options that are equal, once cut, to the reader. `rationales`: of those that are taught.
    """

    questions: float = Field(ge=0, le=1)
    passages: float = Field(ge=0, le=1)
    options: float = Field(ge=0, le=1)
    tied_options: float = Field(ge=0, le=1)
    rationales: float = Field(ge=0, le=1)


class ValidateSettings(Block):
    """Bounds of the expectations; a critical one that fails stops the pipeline.

    `severities`: of expectations by name, where another than the default is wanted. `max_drift`: the largest
    Jensen-Shannon distance (0 to 1) of a feature's distribution from that of the data accepted last.
    """

    min_passages: int = Field(ge=1)
    min_questions: int = Field(ge=1)
    min_options: int = Field(ge=2, le=len(OPTION_LETTERS))
    max_passage_tokens: int = Field(ge=1)
    max_answer_letter_share: float = Field(gt=0, le=1)
    max_leaked_fraction: float = Field(ge=0, le=1)
    max_cut: CutSettings
    max_drift: float = Field(gt=0, le=1)
    severities: dict[str, Severity]
