"""Floating-point operations of a training, from the tokens that each model worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from jmlr.models.reader import decoder_of


@dataclass(frozen=True)
class Size:
    """Parameters of a model that multiply every token, embeddings and output layer left out.

    Attributes:
        parameters: all, N.
        trainable: of them, those that train.
    """

    parameters: int
    trainable: int

    def flops(self, trained_tokens: float, scored_tokens: float) -> float:
        """2 N a scored token (forward); 4 N + 2 N_trainable a trained one, which is 6 N where all parameters train.

        Forward and the gradient of the inputs take 2 N each, the gradient of the weights 2 for each that trains.
        Source: arXiv 2001.08361 (Kaplan), section 2.1, C = 6 N; arXiv 2204.02311 (PaLM), appendix B, for MFU.
        Deviations: attention's products of tokens with tokens (12 L H Q T in PaLM) and the output layer, which works at
        answer positions only, are left out, so that MFU comes out too low rather than too high; frozen weights have no
        gradient of their own, which matters with adapters.

        >>> Size(100, 100).flops(trained_tokens=10, scored_tokens=5)
        7000.0
        >>> Size(100, 0).flops(trained_tokens=10, scored_tokens=0)
        4000.0
        """
        forward_and_inputs = trained_tokens * 4.0 * self.parameters
        return forward_and_inputs + trained_tokens * 2.0 * self.trainable + scored_tokens * 2.0 * self.parameters


def measure_size(encoder: nn.Module) -> Size:
    """The size of a decoder or an encoder without its embeddings.

    >>> size = measure_size(nn.Sequential(nn.Embedding(50, 4), nn.Linear(4, 3, bias=False)))
    >>> size.parameters, size.trainable
    (12, 12)
    """
    parameters = [
        parameter
        for module in encoder.modules()
        if not isinstance(module, nn.Embedding)
        for parameter in module.parameters(recurse=False)
    ]
    # ZeRO 3 leaves each process a part of a parameter, and its whole number in ds_numel.
    counts = [(getattr(parameter, "ds_numel", parameter.numel()), parameter.requires_grad) for parameter in parameters]
    return Size(sum(count for count, _ in counts), sum(count for count, trains in counts if trains))


def encoders_of(model: nn.Module) -> dict[str, nn.Module]:
    """The module of each component of a JointModel that all its tokens pass: the reader's decoder, ColBERT's BERT."""
    encoders = {"reader": decoder_of(model.reader)}
    if model.retriever is not None:
        encoders["retriever"] = model.retriever.colbert.bert
    return encoders


class TokenCounter:
    """Counts the tokens that each component is given, padding left out: trained (with gradient) or scored.

    It listens to the modules themselves, so whatever calls them is counted: the step, and the refresh of the pools.

    Args:
        model: a JointModel; it works as before, and `close` takes the listeners off.
    """

    def __init__(self, model: nn.Module) -> None:
        self.sizes = {name: measure_size(encoder) for name, encoder in encoders_of(model).items()}
        self._sums: dict[tuple[str, str], torch.Tensor | int] = {}
        self._listeners = [
            encoder.register_forward_pre_hook(self._listener(name, encoder), with_kwargs=True)
            for name, encoder in encoders_of(model).items()
        ]

    def take(self) -> dict[str, float]:
        """Tokens since the last call by name (`reader_trained_tokens` and alike), and their `flops`."""
        counts = {
            f"{name}_{kind}_tokens": float(self._sums.get((name, kind), 0))
            for name in self.sizes
            for kind in ("trained", "scored")
        }
        self._sums.clear()
        flops = sum(
            size.flops(counts[f"{name}_trained_tokens"], counts[f"{name}_scored_tokens"])
            for name, size in self.sizes.items()
        )
        return {**counts, "flops": flops}

    def close(self) -> None:
        """Stops counting."""
        for listener in self._listeners:
            listener.remove()

    def _listener(self, name: str, encoder: nn.Module) -> Any:
        trains = any(parameter.requires_grad for parameter in encoder.parameters())

        def listen(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
            kind = "trained" if trains and torch.is_grad_enabled() else "scored"
            self._sums[name, kind] = self._sums.get((name, kind), 0) + _real_tokens(args, options)

        return listen


def _real_tokens(args: tuple[Any, ...], options: Mapping[str, Any]) -> torch.Tensor | int:
    """Tokens without padding, still on the device, so that counting waits for nothing.

    A mask of who sees whom (four axes) does not say what is padding: all tokens count then.
    """
    ids = args[0] if args else options.get("input_ids")
    if ids is None:
        ids = options["inputs_embeds"][..., 0]
    mask = options.get("attention_mask")
    if isinstance(mask, torch.Tensor) and mask.ndim == 2:
        return mask[:, -ids.shape[1] :].sum()
    return int(ids.numel())
