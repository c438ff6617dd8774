"""Rules between keys of params.yaml that no single key can break."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmlr.config import Settings


MARKERS = 3
"""[CLS], ColBERT's mark of a passage, and [SEP]."""


def broken_rules(settings: Settings) -> list[str]:
    """Sentences on keys that contradict each other; empty when all is well."""
    return [*_of_data_and_base(settings), *_of_training(settings), *_of_reader(settings)]


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
    if settings.promote.split not in settings.evaluate.splits:
        broken.append(f"promote.split: {settings.promote.split} is not one of evaluate.splits")
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
    if "jmlr" in train.arms and train.sampling.passages < 2:
        broken.append("train.sampling.passages: the arm jmlr ranks passages against each other and needs at least 2")
    if stray := sorted({"optimizer", "scheduler"} & set(train.deepspeed or {})):
        broken.append(
            f"train.deepspeed: {' and '.join(stray)} would replace the parameter groups, and one rate would drive "
            "both models; leave it out"
        )
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
