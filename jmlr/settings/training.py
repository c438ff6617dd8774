"""The block of params.yaml on training: the joint step, its objective and both models' side of it."""

from __future__ import annotations

from typing import Any, Literal, get_args

from jmlr.losses import LOSSES
from jmlr.settings.values import Block, Count, Name, NonzeroShare, Positive, Share, Some, setting

Arm = Literal["closed_book", "rag", "jmlr"]
ARMS: tuple[Arm, ...] = get_args(Arm)


class ObjectiveSettings(Block):
    """The retriever's loss. The paper's exact form: scores minmax, pair_weight uniform, temperature 1, weight 1."""

    name: Literal[tuple(LOSSES)] = setting(  # type: ignore[valid-type]
        "llm_rank", "The loss: [docs/training.md](training.md#which-objective).", paper="llm_rank"
    )
    scores: Literal["raw", "minmax"] = setting(
        "raw", "MaxSim as it is, or scaled to -1 to 1 over the drawn passages.", paper="minmax"
    )
    pair_weight: Literal["uniform", "likelihood_gap", "probability_gap"] = setting(
        "probability_gap", "llm_rank only: how much a pair counts.", paper="uniform"
    )
    temperature: Positive = setting(1.0, "Divides scores and their differences.", paper="1")
    beta: Positive = setting(
        1.0, "Sharpness of the reader's judgement, 1 / nats; above 1 for replug_lsr.", paper="none"
    )
    weight: Positive = setting(10.0, "Factor of this loss in the total.", paper="1")


class SamplingSettings(Block):
    """How M of the K pool passages are drawn, and which of them get a gradient."""

    passages: Count = setting(
        12, "Passages drawn from the pool (M), at most K; the arm jmlr needs 2.", paper="M of 30; released: 10"
    )
    passages_with_gradient: Count | None = setting(
        3, "Of the M, those encoded with gradient: where the loss pulls most. null: all.", paper="all"
    )
    encode_chunk_passages: Count | None = setting(
        None, "Encoded with gradient at once, each chunk again in backward, to save memory. null: all in one pass."
    )
    sharpness: float = setting(
        3.0, "Drawn by softmax(sharpness x score scaled to -1 to 1); 0: evenly.", ge=0, paper="1"
    )


class LoraSettings(Block):
    """Low-rank adapters on the reader; embeddings and norms stay trainable besides."""

    rank: Count = setting(..., "Rank of an adapter.")
    alpha: Count = setting(..., "Its scale is alpha / rank.")
    dropout: float = setting(..., "Dropout before an adapter.", ge=0, lt=1)
    targets: Some[Name] = setting(..., "Names of the linear layers that get one.")


class TrainReaderSettings(Block):
    """The reader's side of joint training."""

    learning_rate: Positive = setting(0.001, "Largest rate of the reader.", paper="about 2e-5")
    lora: LoraSettings | None = setting(
        None, "Train adapters, embeddings and norms only. null: all weights.", paper="LoRA, embeddings and norms"
    )
    attention: Literal["eager", "sdpa", "shifted_sparse"] = setting(
        "sdpa",
        "shifted_sparse: S2-Attn in training, over quarters of each prompt.",
        paper="S2-Attn over quarters of a batch",
    )
    dtype: Literal["float32", "bfloat16"] = setting(
        "float32", "Type of frozen weights, arithmetic and the saved reader; trained weights are float32."
    )
    rope_scaling: float | None = setting(
        None, "Factor of linear RoPE scaling, to read contexts that much longer. null: none.", ge=1
    )
    quantise: Literal["8bit", "4bit"] | None = setting(
        None, "Frozen weights under LoRA, by bitsandbytes on CUDA; saved unquantised. null: none."
    )


class TrainRetrieverSettings(Block):
    """The retriever's side of joint training."""

    learning_rate: Positive = setting(0.0001, "Largest rate of the retriever.", paper="about 3e-6")


class RefreshDriftSettings(Block):
    """Refresh when the live ranking has drifted from the stored one."""

    overlap_at: Count = setting(..., "k of overlap@k, the share of the stored top k in the live top k; at most K.")
    below: NonzeroShare = setting(..., "A mean overlap below this refreshes.")
    sample_questions: Count = setting(..., "Training questions measured, always the same.")
    check_every_steps: Count = setting(..., "Steps between measurements.")


class CollapseSettings(Block):
    """When a joint run has collapsed."""

    min_distinct_top_1: Share = setting(0.25, "Share of a step's questions with a best passage of their own.")
    min_score_spread: float = setting(0.01, "Standard deviation of a question's drawn MaxSim scores, mean.", ge=0)
    patience_steps: Count = setting(20, "Steps in a row that either may be below its bound.")
    action: Literal["warn", "stop"] = setting("warn", "Then warn once, or stop with an error.")


class TrainSettings(Block):
    """The joint step; all arms take the same steps on the same questions."""

    arms: Some[Arm] = setting(ARMS, "What is trained, one after another.")
    steps: Count = setting(120, "Optimizer steps of each arm.")
    questions_per_step: Count = setting(
        8, "Questions in a step (B) over all devices; at least one a process.", paper="released: 1"
    )
    read_passages: Count = setting(2, "Passages before the question (k), best last; at most K.", paper="7; released: 5")
    sampling: SamplingSettings
    objective: ObjectiveSettings
    reader: TrainReaderSettings
    retriever: TrainRetrieverSettings
    max_gradient_norm: Positive = setting(1.0, "Both models' gradient together is clipped to this norm.")
    warmup_steps: int = setting(10, "Steps over which the rates rise, fewer than `train.steps`.", ge=0)
    refresh_every_steps: Count = setting(
        30, "Steps between searches of all pools with the trained retriever; `steps` or more: never.", paper="never"
    )
    refresh_drift: RefreshDriftSettings | None = setting(None, "Refresh by measured drift too. null: no.")
    collapse: CollapseSettings | None = setting(..., "Guard of the joint arm. null: none.")
    save_every_steps: Count = setting(60, "Steps between checkpoints.")
    needs_gpu: bool = setting(False, "Refuse to train without a CUDA device.")
    deepspeed: dict[str, Any] | None = setting(
        None, "DeepSpeed configuration without optimizer and scheduler. null: plain PyTorch.", paper="DeepSpeed"
    )
    budget_device_hours: Positive | None = setting(
        None, "Hours x devices of all arms and tries; training then stops with a checkpoint. null: no bound."
    )
    device_peak_tflops: Positive | None = setting(
        None, "Peak of one device in 10^12 operations a second, for MFU. null: no MFU."
    )
