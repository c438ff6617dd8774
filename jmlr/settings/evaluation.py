"""The blocks of params.yaml on what a pair is worth: evaluate and promote."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jmlr.settings.values import Block, Distinct


class EvaluateSettings(Block):
    """All arms on the same questions; `confidence` is the level of every interval.

    `controls`: further readings by the joint arm's reader: gold passages, those of another question (shuffled), BM25's.
    `option_orders`: every cyclic order of the options is read; `strict_text`: what the reader writes is read too;
    `evidence`: each passage that was read is left out in turn; `rationale_tokens`: of a written rationale, 0: none.
    `abstain_for`: accuracy that a threshold of confidence, chosen on the split dev, shall reach on what is answered.
    `seed`: of intervals and shuffled passages, and of the protocol.
    """

    seed: int = Field(ge=0)
    controls: Annotated[tuple[Literal["gold", "shuffled", "bm25"], ...], Distinct]
    option_orders: bool
    strict_text: bool
    evidence: bool
    rationale_tokens: int = Field(ge=0)
    abstain_for: float = Field(gt=0, le=1)
    splits: Annotated[tuple[Literal["dev", "test", "test_seen"], ...], Field(min_length=1), Distinct]
    questions_per_batch: int = Field(ge=1)
    recall_at: Annotated[tuple[Annotated[int, Field(ge=1, strict=True)], ...], Field(min_length=1), Distinct]
    bootstrap_samples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)


class PromoteSettings(Block):
    """The gates; losses are the champion's accuracy minus the challenger's, 0 to 1.

    `split`: on which of evaluate.splits both are compared. `must_improve`: the whole interval of the difference must
    lie above 0. `min_net_helped`: questions that only the challenger answers right minus those that only the champion
    does. `latency_questions`: answered one by one to measure the median. null: no bound.
    """

    needs_approval: bool
    split: Literal["dev", "test", "test_seen"]
    allow_prompt_change: bool
    max_accuracy_loss: float = Field(ge=0, le=1)
    must_improve: bool
    min_net_helped: int
    max_subgroup_loss: float = Field(ge=0, le=1)
    latency_questions: int = Field(ge=1)
    max_p50_seconds: float | None = Field(gt=0)
    max_size_gigabytes: float | None = Field(gt=0)
