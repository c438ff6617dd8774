"""The block of params.yaml on training: the joint step, its objective and both models' side of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from jmlr.settings.values import Block, Distinct, Name

Arm = Literal["closed_book", "rag", "jmlr"]
ARMS: tuple[str, ...] = get_args(Arm)


class ObjectiveSettings(Block):
    """The retriever's loss. The paper's exact form: scores minmax, pair_weight uniform, temperature 1, weight 1."""

    name: Literal["llm_rank", "pdist", "emdr2", "loop", "replug_lsr"]
    scores: Literal["raw", "minmax"]
    pair_weight: Literal["uniform", "likelihood_gap", "probability_gap"]
    temperature: float = Field(gt=0)
    beta: float = Field(gt=0)
    weight: float = Field(gt=0)


class SamplingSettings(Block):
    """How M of the K pool passages are drawn: softmax(sharpness x min-max scaled score). The paper: sharpness 1.

    `passages_with_gradient`: how many of the M are encoded with gradient, those the loss pulls at most; null: all
    (the paper). `encode_chunk_passages`: how many of a step's are encoded at once; null: all in one pass.
    """

    passages: int = Field(ge=1)
    passages_with_gradient: int | None = Field(ge=1)
    encode_chunk_passages: int | None = Field(ge=1)
    sharpness: float = Field(ge=0)


class LoraSettings(Block):
    """Low-rank adapters on the reader; embeddings and norms stay trainable besides."""

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    targets: Annotated[tuple[Name, ...], Field(min_length=1), Distinct]


class TrainReaderSettings(Block):
    """The reader's side of joint training. `rope_scaling`: factor of linear scaling; `quantise`: of frozen weights."""

    learning_rate: float = Field(gt=0)
    lora: LoraSettings | None
    attention: Literal["eager", "sdpa", "shifted_sparse"]
    dtype: Literal["float32", "bfloat16"]
    rope_scaling: float | None = Field(ge=1)
    quantise: Literal["8bit", "4bit"] | None


class TrainRetrieverSettings(Block):
    """The retriever's side of joint training."""

    learning_rate: float = Field(gt=0)


class RefreshDriftSettings(Block):
    """Refresh when the live ranking has drifted: its mean overlap@k with the stored one is under `below`.

    `overlap_at` is k; the overlap is measured on `sample_questions` training questions every `check_every_steps` steps.
    """

    overlap_at: int = Field(ge=1)
    below: float = Field(gt=0, le=1)
    sample_questions: int = Field(ge=1)
    check_every_steps: int = Field(ge=1)


class CollapseSettings(Block):
    """When a joint run has collapsed: a figure of the steps under its bound for `patience_steps` steps in a row."""

    min_distinct_top_1: float = Field(ge=0, le=1)
    min_score_spread: float = Field(ge=0)
    patience_steps: int = Field(ge=1)
    action: Literal["warn", "stop"]


class TrainSettings(Block):
    """The joint step; every arm takes the same number of steps on the same questions."""

    arms: Annotated[tuple[Arm, ...], Field(min_length=1), Distinct]
    steps: int = Field(ge=1)
    questions_per_step: int = Field(ge=1)
    read_passages: int = Field(ge=1)
    sampling: SamplingSettings
    objective: ObjectiveSettings
    reader: TrainReaderSettings
    retriever: TrainRetrieverSettings
    max_gradient_norm: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    refresh_every_steps: int = Field(ge=1)
    refresh_drift: RefreshDriftSettings | None
    collapse: CollapseSettings | None
    save_every_steps: int = Field(ge=1)
    needs_gpu: bool
    deepspeed: dict[str, Any] | None
    budget_device_hours: float | None = Field(gt=0)
    device_peak_tflops: float | None = Field(gt=0)
