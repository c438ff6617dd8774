"""The small base reader: a Llama pre-trained here on reading items with invented facts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.progress import track
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from jmlr.errors import DataError
from jmlr.models.packing import PackedBatch, pack
from jmlr.models.prompt import PromptWriter
from jmlr.models.reader import packed_answer_losses
from jmlr.settings import PromptSettings, StarterReaderSettings
from jmlr.starter import induction
from jmlr.starter.reading_items import ContextMaker
from jmlr.starter.tokenizer import frequent_words, make_tokenizer

HEAD_DIMENSION = 64
ROPE_THETA = 1e6
"""So slow that half of the rotary dimensions hardly turn within a prompt, which matching by content needs."""
WARMUP_STEPS, LAST_RATE_SHARE, MAX_GRADIENT_NORM = 20, 0.03, 1.0
BATCHES_SORTED_TOGETHER = 8


def create(
    folder: Path, texts: Sequence[str], settings: StarterReaderSettings, prompt: PromptSettings, seed: int
) -> list[float]:
    """Pre-trains a reader and saves it with its tokenizer into `folder`.

    Args:
        folder: made if missing.
        texts: passages and training questions; only their words are used, never their facts.
        settings: sizes, steps and learning rate.
        prompt: the prompt it will be read with; the options stay hidden here.
        seed: of weights and items.

    Returns:
        The mean loss of an answer token (nats) at every step.

    Raises:
        DataError: if the texts have no word.
    """
    if not frequent_words(texts):
        raise DataError(
            "no word in the passages and the training questions",
            expected="texts that the starter's reader can invent facts from",
            where="build/ingest",
            next_step="check ingest.sources in params.yaml, then dvc repro ingest",
        )
    maker, tokenizer = make_tokenizer(texts, settings.vocabulary_tokens, seed)
    model = build(settings, tokenizer, seed)
    writer = PromptWriter(tokenizer, prompt.model_copy(update={"options": "hidden", "answer": "text"}))
    losses = pretrain(model, _batches(maker, writer, settings, seed), settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return losses


def build(settings: StarterReaderSettings, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A small Llama with an induction circuit and otherwise random weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=2 * settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=HEAD_DIMENSION,
        max_position_embeddings=4096,
        rope_theta=ROPE_THETA,
        attention_bias=True,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    induction.install(model, seed)
    return model


def pretrain(model: LlamaForCausalLM, batches: Iterator[PackedBatch], settings: StarterReaderSettings) -> list[float]:
    """Trains `model` in place, linear warm-up and decay; returns the loss of every step (nats)."""
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / WARMUP_STEPS) * max(LAST_RATE_SHARE, 1 - step / settings.steps),
    )
    losses = []
    for _ in track(range(settings.steps), description="pre-training the starter reader"):
        loss = packed_answer_losses(model, next(batches))[0].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def _batches(
    maker: ContextMaker, writer: PromptWriter, settings: StarterReaderSettings, seed: int
) -> Iterator[PackedBatch]:
    """Endless batches of rows of similar length, so that little is padding."""
    # The maker's generator has this seed too. Its draws and these shuffles are of other things, and another seed would
    # make another starter reader.
    draw = random.Random(seed)
    size = settings.items_per_step
    while True:
        contexts = [maker.draw() for _ in range(size * BATCHES_SORTED_TOGETHER)]
        rows = [[writer.write(question, 0, context.passages) for question in context.questions] for context in contexts]
        rows.sort(key=lambda row: sum(len(item.prompt_ids) for item in row))
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]
        draw.shuffle(groups)
        yield from (pack(group) for group in groups)
