"""A Llama that can already look up and copy: attention weights set so that induction heads exist before training.

Training finds this circuit by itself after thousands of steps. With the circuit set by hand, a small reader learns to
read in a few hundred. Layer 0 attends to the previous token, by its rotary phase alone. Layer 1 attends to where the
current token stood before, by content on the slowly turning rotary dimensions, and copies what followed.

Source: the circuit of "In-context Learning and Induction Heads" (arXiv 2209.11895), set by construction in the manner
of mimetic initialisation (arXiv 2305.09828).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

EMBEDDING_SCALE = 0.2
PREVIOUS_TOKEN_SHARPNESS = 3.0
MATCH_SHARPNESS = 4.0
PREVIOUS_TOKEN_SHARE = 0.3
"""Weight of the previous token beside the token itself; a larger one drowns what layer 1 copies."""
SLOW_RADIANS_A_TOKEN = 2.6e-2
"""Rotary dimensions that turn slower than this are matched by content. Most turn so slowly that they keep it over some
hundred tokens; the fastest turn a quarter within 60, so of two equal matches the nearer one counts more."""


@torch.no_grad()
def install(model: LlamaForCausalLM, seed: int) -> None:
    """Adds an induction circuit to the first two layers and draws new embeddings; the rest stays as it is.

    Args:
        model: at least two layers, `attention_bias` on, as many key-value heads as heads.
        seed: of the random rotations that keep the circuit's parts apart.
    """
    draw = torch.Generator().manual_seed(seed)
    config = model.config
    width, hidden = config.num_attention_heads * config.head_dim, config.hidden_size
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    model.model.embed_tokens.weight.normal_(0, EMBEDDING_SCALE, generator=draw)
    through = _orthogonal(max(width, hidden), draw)[:width, :hidden]
    aside = _orthogonal(hidden, draw)
    half = config.head_dim // 2
    radians = config.rope_theta ** (-torch.arange(half) / half)
    _attend_to_previous_token(first, radians, config.num_attention_heads)
    first.v_proj.weight.add_(through)
    first.o_proj.weight.add_(PREVIOUS_TOKEN_SHARE * aside @ through.T)
    slow = torch.nonzero(radians < SLOW_RADIANS_A_TOKEN).flatten()
    places = torch.cat([slow, slow + half])
    for head in range(config.num_attention_heads):
        content = _orthogonal(hidden, draw)[: len(places)]
        rows = head * config.head_dim + places[: len(content)]
        second.q_proj.weight[rows] += MATCH_SHARPNESS * content
        second.k_proj.weight[rows] += MATCH_SHARPNESS * content @ aside.T
    second.v_proj.weight.add_(through)
    second.o_proj.weight.add_(through.T)


def _attend_to_previous_token(attention: torch.nn.Module, radians: torch.Tensor, heads: int) -> None:
    """Constant keys, and queries that lag them by one token's rotation."""
    # transformers rotates dimension i together with dimension i + half.
    key = torch.cat([torch.ones_like(radians), torch.zeros_like(radians)])
    query = torch.cat([torch.cos(-radians), torch.sin(-radians)])
    attention.k_proj.bias.copy_(PREVIOUS_TOKEN_SHARPNESS * key.repeat(heads))
    attention.q_proj.bias.copy_(PREVIOUS_TOKEN_SHARPNESS * query.repeat(heads))


def _orthogonal(size: int, draw: torch.Generator) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=draw))[0]
