"""Rules between keys of params.yaml that no single key can break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmlr.settings.blocks import Settings
from jmlr.settings.evaluation import CONTROLS

MARKERS = 3
"""Tokens around a text of the retriever: [CLS], ColBERT's mark of a question or passage, and [SEP]."""
MINILM_DIMENSIONS = 384
RUINOUS_BETA = 1.0
"""At this beta REPLUG-LSR's target is nearly uniform, and recall@1 fell from 0.297 to 0.005 (docs/benchmarks.md)."""
DEEPSPEED_KEYS = frozenset(
    "zero_optimization bf16 fp16 torch_autocast data_types gradient_clipping gradient_accumulation_steps "
    "train_batch_size train_micro_batch_size_per_gpu zero_allow_untested_optimizer zero_force_ds_cpu_optimizer "
    "communication_data_type prescale_gradients gradient_predivide_factor activation_checkpointing aio checkpoint "
    "comms_logger flops_profiler wall_clock_breakdown memory_breakdown steps_per_print dump_state timers "
    "log_level".split()
)
"""What DeepSpeed reads of a training as it is here; others it would pass over in silence."""


def broken_rules(settings: Settings) -> list[str]:
    """Sentences on keys that contradict each other; empty when all is well."""
    return [
        *_of_data_and_base(settings),
        *_of_training(settings),
        *_of_deepspeed(settings.train.deepspeed or {}),
        *_of_reader(settings),
        *_of_evaluation(settings),
    ]


def _of_data_and_base(settings: Settings) -> list[str]:
    ingest, base = settings.ingest, settings.base
    broken = []
    if 2 * ingest.overlap_tokens > ingest.passage_tokens:
        broken.append(
            f"ingest.overlap_tokens: {ingest.overlap_tokens} is more than half of ingest.passage_tokens "
            f"({ingest.passage_tokens})"
        )
    if ingest.passage_tokens + MARKERS > settings.index.passage_tokens:
        broken.append(
            f"ingest.passage_tokens: {ingest.passage_tokens} and {MARKERS} markers are more than index.passage_tokens "
            f"({settings.index.passage_tokens}), so that the ends of passages would not be indexed"
        )
    if ingest.dev_fraction + ingest.test_fraction >= 1:
        broken.append("ingest.dev_fraction + ingest.test_fraction: their sum must stay below 1")
    for rows, most, least in (
        ("questions", ingest.max_questions, settings.validate_.min_questions),
        ("passages", ingest.max_passages, settings.validate_.min_passages),
    ):
        if most is not None and most < least:
            broken.append(
                f"ingest.max_{rows}: {most} is less than validate.min_{rows} ({least}), so validate would fail"
            )
    if base.retriever.source == "minilm" and base.retriever.dimension > MINILM_DIMENSIONS:
        broken.append(
            f"base.retriever.dimension: minilm has {MINILM_DIMENSIONS} dimensions, of which more cannot be made"
        )
    if settings.index.backend == "plaid" and base.retriever.dimension % (8 * settings.index.bits):
        broken.append(
            f"base.retriever.dimension: {base.retriever.dimension} is no multiple of {8 * settings.index.bits}, which "
            f"PLAID packs into whole bytes at index.bits {settings.index.bits}"
        )
    for name, model in (("retriever", base.retriever), ("reader", base.reader)):
        if model.source not in ("minilm", "starter") and not model.revision:
            broken.append(
                f"base.{name}.revision: a hub model needs a pinned revision (a commit hash), a folder its files' hash"
            )
    if base.reader.starter.hidden_size % (2 * base.reader.starter.heads):
        broken.append("base.reader.starter.hidden_size: must be a multiple of twice base.reader.starter.heads")
    return broken


def _of_training(settings: Settings) -> list[str]:
    train, pool = settings.train, settings.index.candidates
    broken = []
    for name, count in (
        ("sampling.passages", train.sampling.passages),
        ("read_passages", train.read_passages),
        ("refresh_drift.overlap_at", train.refresh_drift.overlap_at if train.refresh_drift is not None else 0),
    ):
        if count > pool:
            broken.append(f"train.{name}: {count} is more than index.candidates ({pool})")
    if (train.sampling.passages_with_gradient or 0) > train.sampling.passages:
        broken.append(
            f"train.sampling.passages_with_gradient: {train.sampling.passages_with_gradient} is more than "
            f"train.sampling.passages ({train.sampling.passages})"
        )
    if train.warmup_steps >= train.steps:
        broken.append(
            f"train.warmup_steps: {train.warmup_steps} is not less than train.steps ({train.steps}), so the learning "
            "rates would never be reached"
        )
    if train.objective.name == "replug_lsr" and train.objective.beta <= RUINOUS_BETA:
        broken.append(
            f"train.objective.beta: {train.objective.beta:g} is known to ruin the retriever under replug_lsr, whose "
            "target is then nearly uniform (docs/benchmarks.md); its paper has 10"
        )
    if "jmlr" in train.arms and train.sampling.passages < 2:
        broken.append("train.sampling.passages: the arm jmlr ranks passages against each other and needs at least 2")
    return broken


def _of_deepspeed(deepspeed: Mapping[str, Any]) -> list[str]:
    broken = []
    if stray := sorted({"optimizer", "scheduler"} & set(deepspeed)):
        broken.append(
            f"train.deepspeed: {' and '.join(stray)} would replace the parameter groups, and one rate would drive "
            "both models; leave it out"
        )
    broken += [
        f"train.deepspeed.{key}: no key that this training uses"
        for key in sorted({*deepspeed} - {*stray, *DEEPSPEED_KEYS})
    ]
    zero = deepspeed.get("zero_optimization", {})
    if not isinstance(zero, Mapping) or zero.get("stage", 0) not in (0, 1, 2, 3):
        broken.append("train.deepspeed.zero_optimization: a block whose stage is 0, 1, 2 or 3 is wanted")
    return broken


def _of_evaluation(settings: Settings) -> list[str]:
    evaluate, arms = settings.evaluate, settings.train.arms
    broken = []
    if settings.promote.split not in evaluate.splits:
        broken.append(f"promote.split: {settings.promote.split} is not one of evaluate.splits")
    if (most := max(evaluate.recall_at)) > settings.index.candidates:
        broken.append(f"evaluate.recall_at: {most} is more than index.candidates ({settings.index.candidates})")
    for control in evaluate.controls:
        if not CONTROLS[control] & set(arms):
            broken.append(
                f"evaluate.controls: {control} needs {' or '.join(sorted(CONTROLS[control]))} among train.arms"
            )
    if evaluate.rationale_tokens and not evaluate.strict_text:
        broken.append("evaluate.rationale_tokens: nothing is written unless evaluate.strict_text is true")
    return broken


def _of_reader(settings: Settings) -> list[str]:
    prompt, reader = settings.prompt, settings.train.reader
    broken = []
    if prompt.answer != "text" and prompt.options == "hidden":
        broken.append("prompt.answer: a letter can only be answered when prompt.options is shown")
    least = prompt.passage_tokens + prompt.question_tokens + prompt.answer_tokens
    if prompt.context_tokens is not None and prompt.context_tokens < least:
        broken.append(
            f"prompt.context_tokens: {prompt.context_tokens} is below prompt.passage_tokens + prompt.question_tokens + "
            f"prompt.answer_tokens ({least}), so even the best passage could be dropped"
        )
    if reader.quantise is not None and reader.lora is None:
        broken.append(
            f"train.reader.quantise: {reader.quantise} weights cannot be trained, so train.reader.lora must be set"
        )
    return broken
