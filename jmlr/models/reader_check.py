"""Whether a decoder is read rightly: its logits are its own, and sharing a beginning changes nothing."""

from __future__ import annotations

import torch
from torch.nn import functional

from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers
from jmlr.models.packing import common_beginning, pack, pad
from jmlr.models.prompt import Prompted

ALLOWED_SHARE = 0.02
"""Of the largest loss: rounding of bfloat16 stays below, a factor or bound on the logits that is not known does not."""
_ITEMS = (Prompted((1, 5, 6, 7, 8), (2, 9)), Prompted((1, 5, 6, 4), (3,)))


@torch.no_grad()
def check_reader(model: torch.nn.Module) -> None:
    """Returns where `model` gives each answer the loss that it should; takes some forwards of a few tokens.

    Args:
        model: a causal language model of transformers with a vocabulary of 10 tokens or more.

    Raises:
        TrainingFailed: if it does something with its logits that jmlr.models.reader does not know, or takes no
            positions, which packed prompts need, or does not go on rightly from a beginning computed before.
    """
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        own = torch.stack([_own_loss(model, item, device) for item in _ITEMS])
        _compare(model, "its answers", readers.answer_losses(model, pad(_ITEMS, 0).to(device)), own)
        _compare(model, "packed answers", _packed_losses(model, device), own)
        _compare(model, "answers after a shared beginning", _losses_after(model, device), own)
    finally:
        model.train(training)


def _compare(model: torch.nn.Module, what: str, found: torch.Tensor, own: torch.Tensor) -> None:
    if not torch.allclose(found, own, rtol=0, atol=ALLOWED_SHARE * float(own.max())):
        raise _refused(model, f"gives {what} losses of {found.tolist()} in place of {own.tolist()}")


def _packed_losses(model: torch.nn.Module, device: torch.device) -> torch.Tensor:
    try:
        return readers.mean_by_item(*readers.packed_answer_losses(model, pack([_ITEMS]).to(device)))
    except (TypeError, ValueError) as error:
        raise _refused(model, f"cannot read packed prompts ({error})") from error


def _losses_after(model: torch.nn.Module, device: torch.device) -> torch.Tensor:
    shared = common_beginning(_ITEMS)
    beginning = pad([Prompted(_ITEMS[0].prompt_ids[:shared], ())], 0)
    rest = pad([Prompted(item.prompt_ids[shared:], item.answer_ids) for item in _ITEMS], 0)
    try:
        return readers.answer_losses_after(model, beginning.to(device), rest.to(device), len(_ITEMS))
    except (TypeError, ValueError, AttributeError) as error:
        raise _refused(model, f"cannot go on from a beginning computed before ({error})") from error


def _own_loss(model: torch.nn.Module, item: Prompted, device: torch.device) -> torch.Tensor:
    """Mean loss of one answer by the logits of the model's own forward, float32 scalar, nats."""
    ids = torch.tensor([item.prompt_ids + item.answer_ids], device=device)
    logits = model(input_ids=ids, use_cache=False).logits[0].float()
    first = len(item.prompt_ids)
    return functional.cross_entropy(logits[first - 1 : -1], ids[0, first:])


def _refused(model: torch.nn.Module, found: str) -> TrainingFailed:
    return TrainingFailed(
        f"the reader {type(model).__name__} {found}",
        expected="a decoder with positions that can be given, and logits that jmlr/models/reader.py can compute",
        where="the base reader (params.yaml, base.reader.source) or the one that is evaluated",
        next_step="take another reader",
    )
