"""The reader: any causal language model of transformers, and the likelihood of answers under it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from jmlr.errors import MissingResource
from jmlr.models import shifted_sparse_attention
from jmlr.models.packing import PackedBatch
from jmlr.models.prompt import IGNORED, ReaderBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    hidden: torch.Tensor, head: torch.nn.Module, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cross entropies (float32, A), and the row and the place (int64, A) of the token before each answer token."""
    targets = labels[:, 1:]
    rows, places = torch.nonzero(targets != IGNORED, as_tuple=True)
    logits = head(hidden[rows, places]).float()
    return functional.cross_entropy(logits, targets[rows, places], reduction="none"), rows, places


def mean_by_item(losses: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Mean loss of every item, float32 (N,), for `items` that count from 0 to N - 1 with none left out.

    >>> mean_by_item(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 1])).tolist()
    [2.0, 5.0]
    """
    count = int(items.max()) + 1
    total = torch.zeros(count, device=losses.device).index_add(0, items, losses)
    return total / torch.zeros_like(total).index_add(0, items, torch.ones_like(losses))


def _decoder_and_head(model: torch.nn.Module) -> tuple[torch.nn.Module, torch.nn.Module]:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.get_decoder(), inner.get_output_embeddings()


def load(
    folder_or_hub_id: str | Path, revision: str | None = None, attention: str = "sdpa", dtype: str = "float32"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A reader and its tokenizer, from a folder or a hub, safetensors only.

    Raises:
        MissingResource: if neither the folder nor the hub has it.
    """
    from huggingface_hub.errors import HFValidationError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if attention == shifted_sparse_attention.NAME:
        shifted_sparse_attention.register()
    name = str(folder_or_hub_id)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, attn_implementation=attention, dtype=getattr(torch, dtype), use_safetensors=True
        )
    except (OSError, HFValidationError) as error:  # the latter: a missing folder's path is taken for a hub id
        raise MissingResource(
            f"the reader cannot be loaded: {str(error).splitlines()[0]}",
            expected="a folder with a saved reader, or a reachable hub",
            where=name,
            next_step="`dvc repro base` makes the base models; on a machine without a hub use recipe starter",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer
