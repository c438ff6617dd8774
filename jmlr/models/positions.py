"""How many tokens a model can take, and settings that ask for more."""

from __future__ import annotations

from typing import Any

from torch import nn

from jmlr.errors import ConfigError


def of_encoder(encoder: nn.Module) -> int | None:
    """Tokens that an encoder has positions for; None where nothing bounds them.

    Of RoBERTa's kind the first positions, up to that of padding, are no token's.
    """
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return getattr(encoder.config, "max_position_embeddings", None)


def of_reader(config: Any) -> int | None:
    """Tokens that a reader has positions for, scaled ones counted; None where nothing bounds them."""
    text = config.get_text_config()
    positions, scaling = getattr(text, "max_position_embeddings", None), getattr(text, "rope_scaling", None) or {}
    if positions is None or scaling.get("rope_type") != "linear":
        return positions
    return int(positions * scaling["factor"])


def refuse_more(asked: dict[str, int], positions: int | None, model: str) -> None:
    """Nothing, if a model has positions for all that the settings ask for.

    Args:
        asked: tokens by settings key, or by the keys that they come from.
        positions: of the model.
        model: its name, for the message.

    Raises:
        ConfigError: with the keys.

    >>> refuse_more({"index.query_tokens": 80}, 512, "minilm")
    """
    broken = {key: tokens for key, tokens in asked.items() if positions is not None and tokens > positions}
    if broken:
        raise ConfigError(
            " and ".join(f"{key}: {tokens} tokens" for key, tokens in broken.items()),
            expected=f"at most {positions}, the positions of {model}",
            where="params.yaml",
            next_step=f"lower {' and '.join(broken)}, or take a model with more positions",
        )
