"""Checkpoints that bring code of their own are refused before anything of them is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jmlr.errors import UntrustedModel

CODE_FOLDER = "custom_generate"
_ASKS_FOR_CODE = "auto_map"
_REMEDY = "take a checkpoint of configuration, tokenizer and safetensors alone; docs/security.md says why"


def refuse(name: str, revision: str | None = None) -> None:
    """Returns if transformers can load the checkpoint with its own classes, as it lies there.

    transformers and colbert-ai are told by `auto_map` to load a Python file beside the weights, or in another
    repository; colbert-ai does so without asking. transformers runs custom_generate/generate.py of a folder whatever it
    is told about trust, and an adapter's configuration sends it on to another model.

    Args:
        name: a folder, or a hub id.
        revision: commit hash of a hub model.

    Raises:
        UntrustedModel: if it asks for code, or for another checkpoint.
        OSError: if its configuration is not there or no JSON.
    """
    from transformers import PretrainedConfig
    from transformers.models.auto.tokenization_auto import get_tokenizer_config
    from transformers.utils import find_adapter_config_file

    configuration, _ = PretrainedConfig.get_config_dict(name, revision=revision)
    tokenizer = get_tokenizer_config(name, revision=revision)
    for file, content in (("config.json", configuration), ("tokenizer_config.json", tokenizer)):
        if keys := sorted(_asking(content)):
            raise _untrusted(f"asks for code of its own ({', '.join(keys)})", f"{name}, {file}")
    if (Path(name) / CODE_FOLDER).exists():
        raise _untrusted(f"brings code of its own ({CODE_FOLDER}/)", name)
    if find_adapter_config_file(name, revision=revision) is not None:
        raise _untrusted("is an adapter of another model (adapter_config.json)", name)


def _asking(content: Any, place: str = "") -> set[str]:
    """The places of a configuration, at any depth, that ask for code.

    >>> sorted(_asking({"model_type": "bert", "text_config": {"auto_map": {"AutoConfig": "code.Config"}}}))
    ['text_config.auto_map']
    """
    if isinstance(content, list):
        content = {str(number): value for number, value in enumerate(content)}
    if not isinstance(content, dict):
        return set()
    found = {f"{place}{key}" for key, value in content.items() if key == _ASKS_FOR_CODE and value is not None}
    return found.union(*(_asking(value, f"{place}{key}.") for key, value in content.items()))


def _untrusted(found: str, where: str) -> UntrustedModel:
    return UntrustedModel(
        f"the checkpoint {found}", expected="one that runs no code when it is loaded", where=where, next_step=_REMEDY
    )
