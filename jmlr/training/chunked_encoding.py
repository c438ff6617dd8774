"""Passages encoded with gradient in chunks, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from jmlr.models.retriever import Retriever


def encode_in_chunks(
    retriever: Retriever, texts: Sequence[str], chunk_passages: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors of passage tokens and their mask, as `Retriever.encode_passages` returns them.

    Of a chunk only the vectors are kept; backward encodes it once more, so the encoder's activations in memory are
    those of one chunk. That costs about a third more time. Texts of similar length share a chunk.

    Args:
        retriever: without dropout, or both encodings differ.
        texts: of N passages, 1 or more.
        chunk_passages: passages in a chunk; None, or N or more: all in one pass without a second encoding.

    Returns:
        float32 (N, D, H), and bool (N, D), in the order of `texts`.

    Source: GradCache, arXiv 2101.06983, section 3. Deviation: autograd's checkpoints in place of a cache of the
    vectors' gradients, so that the loss may be any.
    """
    if chunk_passages is None or chunk_passages >= len(texts):
        return retriever.encode_passages(texts)
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    parts: list[tuple[torch.Tensor, torch.Tensor]] = [
        checkpoint(
            retriever.encode_passages,
            [texts[number] for number in order[start : start + chunk_passages]],
            use_reentrant=False,
        )
        for start in range(0, len(order), chunk_passages)
    ]
    return in_first_order(parts, order)


def in_first_order(
    parts: Sequence[tuple[torch.Tensor, torch.Tensor]], order: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch of batches that were encoded in another order.

    Args:
        parts: vectors (N_i, D_i, H) and bool masks (N_i, D_i) of the batches.
        order: the number of each text in the order of encoding, N in all.

    Returns:
        (N, D, H) and bool (N, D), padded to the longest, text number 0 first.
    """
    longest = max(mask.shape[1] for _, mask in parts)
    vectors = torch.cat([functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part, _ in parts])
    masks = torch.cat([functional.pad(mask, (0, longest - mask.shape[1])) for _, mask in parts])
    back = torch.tensor(order, device=vectors.device).argsort()
    return vectors[back], masks[back]
