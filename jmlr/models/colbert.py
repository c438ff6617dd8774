"""A ColBERT checkpoint, an encoder with a linear layer, in the files that colbert-ai writes and reads, without it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from jmlr.errors import MissingResource
from jmlr.models import foreign_code
from jmlr.settings import IndexSettings

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS_FILE, METADATA_FILE = "model.safetensors", "artifact.metadata"


@dataclass(frozen=True)
class ColbertConfig:
    """What artifact.metadata keeps, with colbert-ai's names and defaults, in its order: no path, host or time.

    `query_maxlen` and `doc_maxlen` are in tokens, markers included; `dim` is H, the numbers of a token's vector.
    """

    query_token_id: str = "[unused0]"
    doc_token_id: str = "[unused1]"
    query_token: str = "[Q]"
    doc_token: str = "[D]"
    nbits: int = 1
    kmeans_niters: int = 4
    similarity: str = "cosine"
    query_maxlen: int = 32
    attend_to_mask_tokens: bool = False
    interaction: str = "colbert"
    dim: int = 128
    doc_maxlen: int = 220
    mask_punctuation: bool = True

    @classmethod
    def read(cls, folder: Path) -> ColbertConfig:
        """The configuration of the checkpoint in `folder`; the defaults where it is a plain encoder."""
        file = folder / METADATA_FILE
        if not file.exists():
            return cls()
        found = json.loads(file.read_text(encoding="utf-8"))
        found = found.get("config", found)
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})


class Colbert(nn.Module):
    """An encoder with a linear layer, its tokenizer and its configuration; evaluation mode, on the CPU.

    Attributes:
        model: transformers' encoder as `LM` and, before it, `linear`.
        raw_tokenizer: of the encoder.
        colbert_config: lengths and marks.
    """

    def __init__(
        self, model: PreTrainedModel, raw_tokenizer: PreTrainedTokenizerBase, colbert_config: ColbertConfig
    ) -> None:
        super().__init__()
        self.model, self.raw_tokenizer, self.colbert_config = model, raw_tokenizer, colbert_config
        self.eval()

    @classmethod
    def load(cls, folder: Path, settings: IndexSettings, dimension: int | None = None) -> Colbert:
        """The checkpoint in `folder`, or a plain encoder with a new linear layer of `dimension` numbers.

        Raises:
            MissingResource: if transformers cannot load the encoder.
            UntrustedModel: if it asks for code of its own.
        """
        from transformers import AutoConfig, AutoTokenizer

        # transformers asks the hub for a relative path of two parts, as if it were a model's name.
        place = folder.resolve()
        try:
            foreign_code.refuse(str(place))
            if not (place / WEIGHTS_FILE).exists():
                raise FileNotFoundError(f"no {WEIGHTS_FILE}; other kinds of weights are pickles")
            architecture = _with_linear(AutoConfig.from_pretrained(place, trust_remote_code=False))
        except (OSError, ValueError, KeyError) as error:
            raise MissingResource(
                f"not an encoder that can be loaded: {str(error).splitlines()[0]}",
                expected=f"config.json of an encoder that transformers knows, and {WEIGHTS_FILE}",
                where=str(folder),
                next_step="dvc repro base, or another base.retriever.source in params.yaml",
            ) from error
        found = ColbertConfig.read(place)
        config = replace(
            found,
            query_maxlen=settings.query_tokens,
            doc_maxlen=settings.passage_tokens,
            nbits=settings.bits,
            dim=dimension or found.dim,
        )
        model = architecture.from_pretrained(place, dimension=config.dim, use_safetensors=True)
        return cls(model, AutoTokenizer.from_pretrained(place, trust_remote_code=False), config)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.model.device

    @property
    def bert(self) -> nn.Module:
        """The encoder, whatever its family."""
        return self.model.LM

    @property
    def linear(self) -> nn.Linear:
        """From the encoder's E numbers a token to H."""
        return self.model.linear

    def save(self, folder: Path) -> None:
        """Writes the checkpoint; equal weights make equal folders."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)
        self.raw_tokenizer.save_pretrained(folder)
        metadata = json.dumps(asdict(self.colbert_config), indent=1)
        (folder / METADATA_FILE).write_text(metadata + "\n", encoding="utf-8")


def _with_linear(config: PretrainedConfig) -> type[PreTrainedModel]:
    """The class of an encoder with a linear layer, by colbert-ai's names, which the saved files repeat.

    Raises:
        ValueError: if transformers has no encoder of this configuration.
    """
    from transformers import MODEL_MAPPING

    if type(config) not in MODEL_MAPPING:
        raise ValueError(f"transformers has no encoder for {config.model_type}")
    encoder = MODEL_MAPPING[type(config)]
    family: Any = next(base for base in encoder.__mro__[1:] if base.__name__.endswith("PreTrainedModel"))

    class HF_ColBERT(family):  # noqa: N801
        _keys_to_ignore_on_load_unexpected: ClassVar = [r"cls"]

        def __init__(self, config: PretrainedConfig, dimension: int) -> None:
            super().__init__(config)
            self.linear = nn.Linear(config.hidden_size, dimension, bias=False)
            setattr(self, self.base_model_prefix, encoder(config))
            self.init_weights()

        @property
        def LM(self) -> nn.Module:  # noqa: N802
            return getattr(self, self.base_model_prefix)

    return HF_ColBERT
