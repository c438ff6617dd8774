"""The reader: any causal language model of transformers, and the likelihood of answers under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from jmlr.errors import MissingResource
from jmlr.models import foreign_code, shifted_sparse_attention
from jmlr.models.packing import PackedBatch, ReaderBatch
from jmlr.models.prompt import IGNORED

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def answer_token_losses(model: torch.nn.Module, batch: ReaderBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy of every answer token, with logits computed at answer positions only.

    Args:
        model: a causal language model of transformers, PEFT-wrapped or not.
        batch: right-padded input of N items.

    Returns:
        losses (float32, A) of the A answer tokens of the batch in row order, nats; rows (int64, A), the item of each.
    """
    decoder, head = _decoder_and_head(model)
    hidden = decoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).last_hidden_state
    losses, rows, _ = _losses_at_answers(hidden, head, batch.labels)
    return losses, rows


def answer_losses(model: torch.nn.Module, batch: ReaderBatch) -> torch.Tensor:
    """Mean answer-token loss of every item, float32 of shape (N,), nats.

    Source: arXiv 2402.17887, section 3 (the loss l_i that ranks passages).
    """
    return mean_by_item(*answer_token_losses(model, batch))


@torch.no_grad()
def answer_losses_after(
    model: torch.nn.Module, beginnings: ReaderBatch, continuations: ReaderBatch, answers_per_beginning: int
) -> torch.Tensor:
    """As `answer_losses`, of prompts that begin alike: the keys and values of each beginning are computed once.

    Args:
        model: a causal language model of transformers with a key-value cache, in evaluation mode.
        beginnings: right-padded beginnings of B prompts; their labels are not looked at.
        continuations: right-padded rest of the B x M prompts with their answers, M in a row for each beginning; at
            least one token comes before an answer.
        answers_per_beginning: M.

    Returns:
        float32 (B x M,), nats.
    """
    decoder, head = _decoder_and_head(model)
    before = beginnings.attention_mask
    cache = decoder(input_ids=beginnings.input_ids, attention_mask=before, use_cache=True).past_key_values
    cache.batch_repeat_interleave(answers_per_beginning)
    before = before.repeat_interleave(answers_per_beginning, 0)
    places = torch.arange(continuations.input_ids.shape[1], device=before.device)
    hidden = decoder(
        input_ids=continuations.input_ids,
        attention_mask=torch.cat([before, continuations.attention_mask], 1),
        position_ids=before.sum(1, keepdim=True) + places,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    losses, rows, _ = _losses_at_answers(hidden, head, continuations.labels)
    return mean_by_item(losses, rows)


def packed_answer_losses(model: torch.nn.Module, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """As `answer_token_losses`, of a packed batch: losses (float32, A) and the prompt of each (int64, A).

    The attention of the model must take a mask of who sees whom, as `eager` and `sdpa` do.
    """
    decoder, head = _decoder_and_head(model)
    # `eager` adds the mask to its scores, so a bool one would hide nothing.
    mask = torch.zeros_like(batch.visible, dtype=model.dtype).masked_fill(~batch.visible, torch.finfo(model.dtype).min)
    hidden = decoder(
        input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids, use_cache=False
    ).last_hidden_state
    losses, rows, places = _losses_at_answers(hidden, head, batch.labels)
    return losses, batch.items[:, 1:][rows, places]


def _losses_at_answers(
    hidden: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor], labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cross entropies (float32, A), and the row and the place (int64, A) of the token before each answer token."""
    targets = labels[:, 1:]
    rows, places = torch.nonzero(targets != IGNORED, as_tuple=True)
    logits = head(hidden[rows, places])
    return functional.cross_entropy(logits, targets[rows, places], reduction="none"), rows, places


def mean_by_item(losses: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Mean loss of every item, float32 (N,), for `items` that count from 0 to N - 1 with none left out.

    >>> mean_by_item(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 1])).tolist()
    [2.0, 5.0]
    """
    count = int(items.max()) + 1
    total = torch.zeros(count, device=losses.device).index_add(0, items, losses)
    return total / torch.zeros_like(total).index_add(0, items, torch.ones_like(losses))


def _decoder_and_head(
    model: torch.nn.Module,
) -> tuple[torch.nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """What makes hidden states of tokens, and what makes float32 logits of hidden states."""
    inner = _without_adapters(model)
    head, config = inner.get_output_embeddings(), inner.config.get_text_config()
    return decoder_of(model), lambda hidden: _adjust(head(hidden).float(), config)


def decoder_of(model: torch.nn.Module) -> torch.nn.Module:
    """The part of a reader, PEFT-wrapped or not, that all its tokens pass: all but the output layer."""
    inner = _without_adapters(model)
    # Older decoders of transformers, GPT-2 for one, know no decoder and give themselves.
    return inner.base_model if inner.get_decoder() is inner else inner.get_decoder()


def _without_adapters(model: torch.nn.Module) -> torch.nn.Module:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _adjust(logits: torch.Tensor, config: PretrainedConfig) -> torch.Tensor:
    """What some decoders do with logits after their head: Granite and Cohere scale them, Gemma bounds them."""
    if divisor := getattr(config, "logits_scaling", None):
        logits = logits / divisor
    if factor := getattr(config, "logit_scale", None):
        logits = logits * factor
    if bound := getattr(config, "final_logit_softcapping", None):
        logits = bound * torch.tanh(logits / bound)
    return logits


def load(
    folder_or_hub_id: str | Path,
    revision: str | None = None,
    attention: str = "sdpa",
    dtype: str = "float32",
    further: Mapping[str, Any] | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A reader and its tokenizer, from a folder or a hub; safetensors only, and no code of the checkpoint's own.

    Args:
        folder_or_hub_id: where it is.
        revision: commit hash of a hub model.
        attention: eager, sdpa or shifted_sparse.
        dtype: float32 or bfloat16.
        further: arguments for transformers' `from_pretrained`.

    Raises:
        MissingResource: if neither the folder nor the hub has it.
        UntrustedModel: if it asks for code of its own.
    """
    from transformers import AutoModelForCausalLM

    if attention == shifted_sparse_attention.NAME:
        shifted_sparse_attention.register()
    name = str(folder_or_hub_id)
    options = {"attn_implementation": attention, "dtype": getattr(torch, dtype), **(further or {})}
    tokenizer = load_tokenizer(name, revision)
    with _missing_reader_named(name):
        model = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, use_safetensors=True, trust_remote_code=False, **options
        )
    return model, tokenizer


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a reader alone, from a folder or a hub; it raises what `load` does."""
    from transformers import AutoTokenizer

    with _missing_reader_named(name):
        foreign_code.refuse(name, revision)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_config(folder: Path) -> PretrainedConfig:
    """The configuration of the reader in `folder`.

    Raises:
        MissingResource: if it is not there.
        UntrustedModel: if it asks for code of its own.
    """
    from transformers import AutoConfig

    with _missing_reader_named(str(folder)):
        foreign_code.refuse(str(folder))
        return AutoConfig.from_pretrained(str(folder), trust_remote_code=False)


@contextmanager
def _missing_reader_named(name: str) -> Iterator[None]:
    """Turns what transformers raises for a reader that is not there into one clear error."""
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except (OSError, HFValidationError) as error:  # the latter: a missing folder's path is taken for a hub id
        raise MissingResource(
            f"the reader cannot be loaded: {str(error).splitlines()[0]}",
            expected="a folder with a saved reader, or a reachable hub",
            where=name,
            next_step="`dvc repro base` makes the base models; on a machine without a hub use recipe starter",
        ) from error
