"""Shifted sparse attention (S2-Attn): long inputs at a fraction of the cost, in training only.

The sequence is cut into groups, and a token attends to earlier tokens of its own group. Half of the heads use groups
that start half a group later, so that what one half keeps apart the other joins. In evaluation mode every token
attends to all earlier ones.

Source: arXiv 2309.12307, section 3.2. As in its released flash-attention form, the ends of the shifted heads are not
joined: their first half group is a group of its own. Deviations: any length works, the last groups are shorter; each
row of a batch is grouped by its own length, so that no question's loss depends on which others share its step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from jmlr.errors import TrainingFailed

NAME = "shifted_sparse"
GROUPS = 4


def register() -> None:
    """Makes the attention known to transformers under `NAME`; calling it again changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, keep_padding_mask)


def group_tokens(length: int, groups: int = GROUPS) -> int:
    """Tokens of one group: a `groups`-th of the sequence, rounded up.

    >>> [group_tokens(length) for length in (1, 7, 8, 9)]
    [1, 2, 2, 3]
    """
    return -(-length // groups)


def shifted_sparse_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: int, **options: Any
) -> torch.Tensor:
    """Causal attention within groups; the second half of the heads starts its groups half a group later.

    Right padding needs no mask: it comes after all real tokens, and none of them looks ahead.

    Args:
        query: (N, heads, T, head size).
        key: the same shape.
        value: the same shape.
        group: tokens a group; T or more is full causal attention in all heads.
        options: dropout_p and scale of torch's scaled_dot_product_attention.

    Returns:
        (N, heads, T, head size), of the dtype of `query`.

    >>> tensor = torch.rand(1, 2, 8, 4)
    >>> full = functional.scaled_dot_product_attention(tensor, tensor, tensor, is_causal=True)
    >>> grouped = shifted_sparse_attention(tensor, tensor, tensor, group=4)
    >>> [bool(torch.allclose(full[0, head, 7], grouped[0, head, 7])) for head in (0, 1)]
    [False, False]
    >>> bool(torch.allclose(full, shifted_sparse_attention(tensor, tensor, tensor, group=8)))
    True
    """
    qkv = torch.stack((query, key, value))
    if group >= query.shape[2]:
        return _attend_in_groups(qkv, group, options)
    first, second = qkv.tensor_split([(query.shape[1] + 1) // 2], dim=2)
    beginning, rest = second.tensor_split([group // 2], dim=3)
    shifted = [_attend_in_groups(part, group, options) for part in (beginning, rest) if part.numel()]
    straight = _attend_in_groups(first, group, options)
    return torch.cat((straight, torch.cat(shifted, dim=2)), dim=1) if shifted else straight


def _attend_in_groups(qkv: torch.Tensor, group: int, options: dict[str, Any]) -> torch.Tensor:
    """Causal attention within consecutive groups; `qkv` is (3, N, heads, T, head size)."""
    _, batch, heads, length, size = qkv.shape
    group = min(group, length)
    groups = -(-length // group)
    padded = functional.pad(qkv, (0, 0, 0, groups * group - length))
    grouped = padded.unflatten(3, (groups, group)).transpose(2, 3).reshape(3, batch * groups, heads, group, size)
    out = functional.scaled_dot_product_attention(*grouped.unbind(0), is_causal=True, **options)
    return out.unflatten(0, (batch, groups)).transpose(1, 2).flatten(2, 3)[:, :, :length]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function that transformers calls: grouped while `module` trains, full when it does not.

    Args:
        module: an attention layer with `num_key_value_groups`.
        query: (N, heads, T, head size).
        key: (N, key-value heads, S, head size); S is above T where a cache holds earlier tokens.
        value: the same shape as `key`.
        attention_mask: what `keep_padding_mask` returned, or a prepared four-axis mask.
        options: `dropout` and `scaling`; others are ignored.

    Returns:
        (N, T, heads, head size), and None in place of attention weights.

    Raises:
        TrainingFailed: if training meets left padding, a prepared mask or a cache.
    """
    repeats = getattr(module, "num_key_value_groups", 1)
    key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    chosen = {"dropout_p": options.get("dropout") or 0.0, "scale": options.get("scaling")}
    length, right_padded = query.shape[2], attention_mask is None or attention_mask.ndim == 1
    if not module.training:
        mask = _full_mask(length, key, None if right_padded else attention_mask)
        out = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=mask is None, **chosen)
    elif not right_padded or key.shape[2] != length:
        raise TrainingFailed(
            "shifted sparse attention met left padding, a prepared mask or a cache",
            expected="right-padded batches without a cache",
            next_step="pad on the right, or set train.reader.attention to sdpa",
        )
    else:
        out = _attend_by_length((query, key, value), attention_mask, chosen)
    return out.transpose(1, 2).contiguous(), None


def _attend_by_length(
    qkv: tuple[torch.Tensor, ...], lengths: torch.Tensor | None, options: dict[str, Any]
) -> torch.Tensor:
    """Every row in groups of its own length, rows of one group size together; padding gets zeros."""
    query, key, value = qkv
    if lengths is None:
        return shifted_sparse_attention(query, key, value, group_tokens(query.shape[2]), **options)
    rows_of: dict[int, list[int]] = {}
    for row, length in enumerate(lengths.tolist()):
        rows_of.setdefault(group_tokens(max(1, length)), []).append(row)
    out = torch.zeros_like(query)
    for group, rows in rows_of.items():
        cut = (rows, slice(None), slice(max(1, int(lengths[rows].max()))))
        out[cut] = shifted_sparse_attention(query[cut], key[cut], value[cut], group, **options).to(out.dtype)
    return out


def keep_padding_mask(*_: Any, attention_mask: torch.Tensor | None = None, **__: Any) -> torch.Tensor | None:
    """The mask function that transformers calls: the bool padding mask (N, S), or what says as much in less.

    Padding on the right is hidden by causality: then it is the lengths of the rows, int64 (N,) on the CPU, and None
    where there is none.

    >>> keep_padding_mask(attention_mask=torch.tensor([[True, True, True]]))
    >>> keep_padding_mask(attention_mask=torch.tensor([[True, True, False]])).tolist()
    [2]
    >>> keep_padding_mask(attention_mask=torch.tensor([[False, True, True]])).tolist()
    [[False, True, True]]
    """
    if attention_mask is None or bool(attention_mask.all()):
        return None
    if bool((attention_mask[:, 1:] <= attention_mask[:, :-1]).all()):
        return attention_mask.sum(1).cpu()
    return attention_mask


def _full_mask(length: int, key: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor | None:
    """Who sees whom in full attention, bool (N or 1, 1, T, S) or as prepared; None is plainly causal."""
    if attention_mask is not None and attention_mask.ndim == 4:
        return attention_mask
    seen = key.shape[2]
    if attention_mask is None and seen == length:
        return None
    places = torch.arange(seen, device=key.device)
    own = places[seen - length :, None]
    visible = (places <= own)[None]
    if attention_mask is not None:
        # A padded token sees itself, so that no row of the softmax is empty.
        visible = visible & (attention_mask[:, None, :seen] | (places == own))
    return visible[:, None]
