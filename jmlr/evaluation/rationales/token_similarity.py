"""BERTScore: how well the tokens of two texts match by the cosines of their contextual embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from jmlr import fingerprint
from jmlr.errors import MissingResource
from jmlr.models import device, foreign_code

_LONGEST_TOKENS = 512
"""Used where neither tokenizer nor model states the longest text."""
_PAIRS_AT_A_TIME = 512


class TextSimilarity(Protocol):
    """Compares generated texts with references."""

    def compare(self, generated: Sequence[str], references: Sequence[str]) -> list[float]:
        """One similarity a pair, in order; 1 for equal texts."""
        ...

    def describe(self) -> dict[str, Any]:
        """What compares them, for the result: values compare only where this is equal."""
        ...


class BertScore:
    """F1 of BERTScore by the library bert-score, with an encoder in a local folder and its last layer.

    Raw cosines, not rescaled, without idf weights: unrelated texts do not have 0 (MiniLM: 0.25 between the conclusions
    of different PubMedQA abstracts), and values of two encoders do not compare. A text beyond the encoder's length (512
    tokens for MiniLM) is cut there.

    Source: Zhang et al. 2020, arXiv 1904.09675. Deviation: the published figures are of roberta-large's 17th layer.
    """

    def __init__(self, folder: Path, batch_size: int = 64) -> None:
        """Loads the encoder; nothing is fetched.

        Args:
            folder: of an encoder, for example what `jmlr.models.encoder.fetch` returns.
            batch_size: texts encoded at a time.

        Raises:
            MissingResource: if the encoder is not there.
            UntrustedModel: if it asks for code of its own.
        """
        from bert_score import BERTScorer
        from transformers import AutoConfig

        if not (folder / "config.json").is_file():
            raise MissingResource("no encoder", expected="its config.json and weights", where=str(folder))
        foreign_code.refuse(str(folder))
        config = AutoConfig.from_pretrained(folder)
        self._layers, self._name = int(config.num_hidden_layers), folder.name
        self._weights = fingerprint.of_folder(folder, "*.safetensors")
        self._scorer = BERTScorer(
            model_type=str(folder), num_layers=self._layers, batch_size=batch_size, device=str(device.best()), idf=False
        )
        tokenizer, longest = self._scorer._tokenizer, getattr(config, "max_position_embeddings", _LONGEST_TOKENS)
        # A tokenizer that states no length says 10^30, which its compiled half cannot take (bert_score issue 205).
        tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
        self._longest_tokens = tokenizer.model_max_length

    def describe(self) -> dict[str, Any]:
        """The encoder's folder, a hash of its weights, its layer, and the longest text in tokens."""
        return {
            "encoder": self._name,
            "sha256": self._weights,
            "layer": self._layers,
            "longest_tokens": self._longest_tokens,
        }

    def compare(self, generated: Sequence[str], references: Sequence[str]) -> list[float]:
        """F1 a pair; 0 where one text is empty and the other is not, 1 where both are."""
        whole = [row for row, pair in enumerate(zip(generated, references, strict=True)) if all(map(str.strip, pair))]
        compared = [float(one.strip() == other.strip()) for one, other in zip(generated, references, strict=True)]
        # The library keeps the embeddings of all texts it is given: some hundred KB each.
        for start in range(0, len(whole), _PAIRS_AT_A_TIME):
            rows = whole[start : start + _PAIRS_AT_A_TIME]
            found = self._scorer.score([generated[row] for row in rows], [references[row] for row in rows])[2]
            for row, value in zip(rows, found.tolist(), strict=True):
                compared[row] = value
        return compared
