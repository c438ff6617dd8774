"""The blocks of params.yaml on the two models, what they see, and the index: base, prompt and index."""

from __future__ import annotations

from typing import Literal

from jmlr.settings.values import Block, Count, Name, Positive, setting


class BaseRetrieverSettings(Block):
    """The retriever before joint training."""

    source: Name = setting(
        "minilm",
        "`minilm` (inside a locked package), a folder as `./imported/retriever`, or a hub id.",
        paper="ColBERT",
    )
    revision: Name | None = setting(
        None, "Commit of the hub model, or hash of the folder as `jmlr import` prints it. null: only for `minilm`."
    )
    dimension: int = setting(
        128, "Dimensions of a token's vector (H); minilm has 384; for PLAID a multiple of 8 x `index.bits`.", ge=8
    )


class StarterReaderSettings(Block):
    """The small Llama that is pre-trained here on invented facts; its induction circuit takes two layers."""

    vocabulary_tokens: int = setting(4000, "Size of the vocabulary.", ge=300)
    hidden_size: int = setting(128, "Width, a multiple of twice `heads`.", ge=32)
    layers: int = setting(3, "Layers.", ge=2)
    heads: Count = setting(4, "Attention heads.")
    steps: Count = setting(300, "Pre-training steps.")
    items_per_step: Count = setting(24, "Reading items in a step.")
    learning_rate: Positive = setting(0.002, "Largest learning rate.")


class BaseReaderSettings(Block):
    """The reader before joint training."""

    source: Name = setting(
        "starter", "`starter`, a folder as `./imported/reader`, or a hub id.", paper="Llama 2, 7B and 13B"
    )
    revision: Name | None = setting(None, "As of the retriever. null: only for `starter`.")
    starter: StarterReaderSettings


class BaseSettings(Block):
    """The two models before joint training."""

    retriever: BaseRetrieverSettings
    reader: BaseReaderSettings


class PromptSettings(Block):
    """What the reader sees in training, evaluation and serving alike. Lengths are reader tokens."""

    layout: Literal["passages_first", "question_first"] = setting(
        "passages_first", "What comes first; judging many passages is cheaper with the question first."
    )
    options: Literal["hidden", "shown"] = setting("hidden", "Whether options are listed before the answer.")
    answer: Literal["text", "letter", "letter_text", "letter_rationale"] = setting(
        "text",
        "What is taught; letters need shown options: [docs/training.md](training.md#letters-with-rationales).",
        paper="letter and explanation",
    )
    passage_tokens: int = setting(128, "One passage, cut at its end.", ge=8)
    question_tokens: int = setting(128, "The question, cut in its middle.", ge=8)
    answer_tokens: Count = setting(24, "Answer with rationale, and each shown option; cut at the end.")
    context_tokens: Count | None = setting(
        None, "Everything together: the worst passages are dropped to fit, never the question. null: no bound."
    )


class IndexSettings(Block):
    """The index and the candidates."""

    backend: Literal["auto", "exact", "plaid"] = setting(
        "auto", "exact scores all passages, plaid (arXiv 2205.09707) likely ones. auto: exact up to 5,000 passages.",
        paper="ColBERT's PLAID",
    )  # fmt: skip
    hybrid: bool = setting(False, "Fuse the retriever's ranking with BM25's: [docs/retrieval.md](retrieval.md).")
    query_tokens: int = setting(80, "Retriever tokens of a question, cut in its middle.", ge=8)
    passage_tokens: int = setting(
        96, "Retriever tokens of a passage; at least 3 more than `ingest.passage_tokens`.", ge=8
    )
    bits: Literal[1, 2, 4] = setting(4, "Bits of a compressed dimension in PLAID's files.")
    kmeans_iterations: Count = setting(4, "Iterations of PLAID's clustering.")
    candidates: Count = setting(30, "Passages in a question's pool (K).", paper="30")
