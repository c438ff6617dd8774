"""The retriever: a ColBERT checkpoint, with which texts are encoded with or without gradient."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from jmlr import fingerprint
from jmlr.errors import ConfigError, MissingResource
from jmlr.models import device, positions
from jmlr.models.colbert import METADATA_FILE, WEIGHTS_FILE, Colbert
from jmlr.models.encoder import fetch
from jmlr.models.retriever_tokens import MarkedTokenizer, missing_marks, silent_ids
from jmlr.seeds import seed_of
from jmlr.settings import BaseRetrieverSettings, IndexSettings

PROJECTION_PASSAGES, PROJECTION_BATCH = 512, 32


class Retriever(nn.Module):
    """ColBERT: a BERT-like encoder, a linear layer to H dimensions, one unit vector a token.

    Queries are padded with [MASK] to `query_tokens`, or cut in their middle; passages are cut at `passage_tokens`;
    punctuation and padding of passages carry no embedding. Source: arXiv 2004.12832, section 3.2.
    """

    def __init__(self, folder: Path, settings: IndexSettings) -> None:
        super().__init__()
        self.colbert = Colbert.load(folder, settings)
        tokenizer, config = self.colbert.raw_tokenizer, self.colbert.colbert_config
        _refuse_long_texts(self.colbert, f"the encoder in {folder}")
        self._queries = MarkedTokenizer.of_questions(tokenizer, config)
        self._passages = MarkedTokenizer.of_passages(tokenizer, config)
        self.register_buffer("_silent_ids", torch.tensor(silent_ids(tokenizer)), persistent=False)

    @classmethod
    def load(cls, folder: Path, settings: IndexSettings) -> Retriever:
        """The retriever saved in `folder`, on the CPU.

        Raises:
            MissingResource: if the folder holds no ColBERT checkpoint with its own linear layer.
            UntrustedModel: if the checkpoint asks for code of its own.
        """
        if not (folder / WEIGHTS_FILE).exists() or not (folder / METADATA_FILE).exists():
            raise MissingResource(
                "no ColBERT checkpoint",
                expected=f"{WEIGHTS_FILE} and {METADATA_FILE}",
                where=str(folder),
                next_step="dvc repro base",
            )
        return cls(folder, settings)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.colbert.model.device

    @property
    def dimension(self) -> int:
        """H, numbers of a token's vector."""
        return int(self.colbert.colbert_config.dim)

    def measure(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens that each passage is encoded from and embeddings that count, int64 (N,) each; nothing is encoded."""
        ids, attention = self._passages.tensorize(texts)
        return attention.sum(1).cpu().numpy(), self._counts(ids).sum(1).cpu().numpy()

    def encode_queries(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors of the query tokens, float32 (B, Q, H), Q = `query_tokens`; long questions are cut."""
        ids, attention = self._queries.tensorize(texts)
        return functional.normalize(self._embed(ids, attention), dim=2)

    def encode_passages(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Unit vectors of the passage tokens, float32 (N, D, H), and the bool mask (N, D) of those that count."""
        ids, attention = self._passages.tensorize(texts)
        mask = self._counts(ids)
        embedded = self._embed(ids, attention) * mask[:, :, None]
        return functional.normalize(embedded, dim=2), mask

    @torch.no_grad()
    def principal_directions(self, texts: Sequence[str]) -> torch.Tensor:
        """Orthonormal directions of the encoder's token embeddings, strongest first, float32 (E, E) on the CPU."""
        moments = torch.zeros(self.colbert.linear.in_features, self.colbert.linear.in_features)
        for start in range(0, len(texts), PROJECTION_BATCH):
            ids, attention = self._passages.tensorize(texts[start : start + PROJECTION_BATCH])
            tokens = self._encode(ids, attention)[self._counts(ids)].float().cpu()
            moments += tokens.T @ tokens
        return torch.linalg.eigh(moments)[1].flip(1).T.contiguous()

    def _embed(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        return self.colbert.linear(self._encode(ids, attention)).float()

    def _encode(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        return self.colbert.bert(ids.to(self.device), attention_mask=attention.to(self.device))[0]

    def _counts(self, ids: torch.Tensor) -> torch.Tensor:
        """Which tokens of passages count: padding and punctuation do not."""
        return ~torch.isin(ids.to(self.device), self._silent_ids)

    def save(self, folder: Path) -> None:
        """Writes a checkpoint that colbert-ai and `load` read; weights as safetensors."""
        self.colbert.save(folder)

    @staticmethod
    def fingerprint(folder: Path) -> str:
        """Hash of the weights saved in `folder`."""
        return fingerprint.of_file(folder / WEIGHTS_FILE)


def create(
    source: BaseRetrieverSettings, settings: IndexSettings, folder: Path, passages: Sequence[str], seed: int
) -> None:
    """Writes a ColBERT checkpoint into `folder`; a source without ColBERT's linear layer gets one, once and for all.

    The layer projects on the principal directions of the token embeddings of `passages`: of all linear layers this one
    keeps most of what tells the tokens of these passages apart.

    Args:
        source: the encoder.
        settings: token bounds, saved with the checkpoint.
        folder: made if missing.
        passages: texts that the directions are estimated from; a seeded sample of them is encoded.
        seed: of the sample, and of the marks' embeddings where the vocabulary has none.

    Raises:
        MissingResource: if the encoder cannot be had, or has no safetensors.
        UntrustedModel: if it asks for code of its own.
        ConfigError: if it has a linear layer of another dimension or too few positions, or its tokenizer lacks what
            ColBERT needs.
    """
    from transformers.utils import logging

    encoder = fetch(source)
    logging.set_verbosity_error()
    dimension = dimension_of(encoder)
    if dimension not in (None, source.dimension):
        raise ConfigError(
            f"base.retriever.dimension is {source.dimension}",
            expected=f"{dimension}, the numbers of a token's vector in this checkpoint",
            where=source.source,
            next_step=f"set base.retriever.dimension to {dimension}",
        )
    colbert = Colbert.load(encoder, settings, source.dimension)
    _refuse_long_texts(colbert, f"base.retriever.source, {source.source}")
    if marks := missing_marks(colbert.raw_tokenizer, colbert.colbert_config):
        _add_marks(colbert, marks, seed_of(seed, "marks of question and passage"))
    colbert.save(folder)
    if dimension is None:
        retriever = Retriever.load(folder, settings).to(device.best())
        sample = random.Random(seed).sample(list(passages), min(len(passages), PROJECTION_PASSAGES))
        retriever.colbert.linear.weight.data.copy_(retriever.principal_directions(sample)[: source.dimension])
        retriever.save(folder)


def _refuse_long_texts(colbert: Colbert, encoder: str) -> None:
    """Nothing, if the encoder, called so in the message, has positions for all tokens that the settings ask for."""
    config = colbert.colbert_config
    asked = {"index.query_tokens": config.query_maxlen, "index.passage_tokens": config.doc_maxlen}
    positions.refuse_more(asked, positions.of_encoder(colbert.bert), encoder)


def _add_marks(colbert: Colbert, marks: list[str], seed: int) -> None:
    """Gives a vocabulary without ColBERT's marks, RoBERTa's for one, a token and a new embedding for each."""
    tokenizer, model = colbert.raw_tokenizer, colbert.model
    tokenizer.add_special_tokens({"additional_special_tokens": marks}, replace_additional_special_tokens=False)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def dimension_of(folder: Path) -> int | None:
    """H of the ColBERT checkpoint in `folder`; None without ColBERT's linear layer, or without safetensors."""
    from safetensors import safe_open

    if not (folder / WEIGHTS_FILE).exists():
        return None
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as weights:
        if "linear.weight" not in weights.keys():
            return None
        return int(weights.get_slice("linear.weight").get_shape()[0])
