"""The blocks of params.yaml on the two models, what they see, and the index: base, prompt and index."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jmlr.settings.values import Block, Name


class BaseRetrieverSettings(Block):
    """`source`: `minilm` (the encoder a locked package carries), a folder or a hub id, both pinned."""

    source: Name
    revision: Name | None
    dimension: int = Field(ge=8)


class StarterReaderSettings(Block):
    """The small Llama pre-trained here on reading items with invented facts; its induction circuit takes two layers."""

    vocabulary_tokens: int = Field(ge=300)
    hidden_size: int = Field(ge=32)
    layers: int = Field(ge=2)
    heads: int = Field(ge=1)
    steps: int = Field(ge=1)
    items_per_step: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class BaseReaderSettings(Block):
    """`source`: `starter`, a folder (`./NAME`, pinned by its hash) or a hub id with a pinned revision."""

    source: Name
    revision: Name | None
    starter: StarterReaderSettings


class BaseSettings(Block):
    """Where the two models come from before joint training."""

    retriever: BaseRetrieverSettings
    reader: BaseReaderSettings


class PromptSettings(Block):
    """What the reader sees; lengths are reader tokens. One prompt for training, evaluation and serving.

    `layout`: what comes first. With the question first, the reader's judgement of many passages reads it only once.
    `answer`: what is taught; letter_rationale: the letter, then the question's rationale; options are told by letter.
    `context_tokens`: of passages, question and answer together; passages that do not fit are dropped; null: no bound.
    """

    layout: Literal["passages_first", "question_first"]
    options: Literal["hidden", "shown"]
    answer: Literal["text", "letter", "letter_text", "letter_rationale"]
    passage_tokens: int = Field(ge=8)
    question_tokens: int = Field(ge=8)
    answer_tokens: int = Field(ge=1)
    context_tokens: int | None = Field(ge=1)


class IndexSettings(Block):
    """The index; lengths are retriever tokens, `candidates` is the pool size K.

    `backend`: how it is searched; auto: exactly up to 5,000 passages, by PLAID beyond. `bits` and `kmeans_iterations`
    are PLAID's. `hybrid`: rankings are fused with BM25's.
    """

    backend: Literal["auto", "exact", "plaid"]
    hybrid: bool
    query_tokens: int = Field(ge=8)
    passage_tokens: int = Field(ge=8)
    bits: Literal[1, 2, 4]
    kmeans_iterations: int = Field(ge=1)
    candidates: int = Field(ge=1)
