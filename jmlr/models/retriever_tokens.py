"""Texts as ColBERT reads them: the first token, a mark of question or passage, the text, the last token."""

from __future__ import annotations

import copy
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from jmlr.errors import ConfigError
from jmlr.models import cutting
from jmlr.models.colbert import ColbertConfig
from jmlr.settings.rules import MARKERS

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

NEEDED_TOKENS = ("cls_token", "sep_token", "pad_token", "mask_token")


@dataclass(frozen=True)
class MarkedTokenizer:
    """Makes the ids of marked texts, on the CPU; who encodes them moves them.

    The ids are those of colbert-ai, whose own tokenizers put them on a GPU wherever one is visible.

    Attributes:
        tokenizer: of the encoder; used by this object alone.
        mark: id of the mark.
        tokens: bound on a text with its three markers.
        filling: id that short texts are filled with up to `tokens`; None: texts are padded to the longest.
        attend_to_filling: whether the filling is attended to.
    """

    tokenizer: PreTrainedTokenizerBase
    mark: int
    tokens: int
    filling: int | None = None
    attend_to_filling: bool = False

    @classmethod
    def of_questions(cls, tokenizer: PreTrainedTokenizerBase, config: ColbertConfig) -> MarkedTokenizer:
        """Questions by colbert-ai's configuration, filled with masks. Source: arXiv 2004.12832, section 3.2."""
        mark, fill = tokenizer.convert_tokens_to_ids(config.query_token_id), tokenizer.mask_token_id
        return cls(copy.deepcopy(tokenizer), mark, config.query_maxlen, fill, bool(config.attend_to_mask_tokens))

    @classmethod
    def of_passages(cls, tokenizer: PreTrainedTokenizerBase, config: ColbertConfig) -> MarkedTokenizer:
        """Passages, padded to the longest."""
        return cls(copy.deepcopy(tokenizer), tokenizer.convert_tokens_to_ids(config.doc_token_id), config.doc_maxlen)

    def tensorize(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, int64 (N, T) each; a long text is cut."""
        coded = self._code(texts)
        if self.filling is not None and any(one.overflowing for one in coded.encodings):
            coded = self._code([cutting.question(text, self.tokenizer, self.tokens - MARKERS) for text in texts])
        ids, attention = _insert(coded["input_ids"], self.mark), _insert(coded["attention_mask"], 1)
        if self.filling is not None:
            ids = ids.masked_fill(ids == self.tokenizer.pad_token_id, self.filling)
            if self.attend_to_filling:
                attention = attention.masked_fill(ids == self.filling, 1)
        return ids, attention

    def _code(self, texts: Sequence[str]) -> BatchEncoding:
        padding = "longest" if self.filling is None else "max_length"
        return self.tokenizer(
            [text.rstrip() for text in texts] if self.filling is not None else list(texts),
            padding=padding, truncation=True, max_length=self.tokens - 1, return_tensors="pt",
        )  # fmt: skip


def _insert(ids: torch.Tensor, value: int) -> torch.Tensor:
    """`value` after the first column.

    >>> _insert(torch.tensor([[1, 2]]), 9).tolist()
    [[1, 9, 2]]
    """
    return torch.cat([ids[:, :1], functional.pad(ids[:, 1:], (1, 0), value=value)], 1)


def silent_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens of passages that carry no embedding: padding, and a punctuation mark however the vocabulary writes it.

    A mark after a word and one after a space may be two tokens.
    """
    silent = [tokenizer.pad_token_id]
    for symbol in string.punctuation:
        for text in (symbol, f"a{symbol}", f"a {symbol}"):
            last = tokenizer.encode(text, add_special_tokens=False)[-1]
            if last not in silent and tokenizer.decode([last]).strip() == symbol:
                silent.append(last)
    return silent


def missing_marks(tokenizer: PreTrainedTokenizerBase, config: ColbertConfig) -> list[str]:
    """The marks of `config`, of questions and of passages, that the vocabulary does not have.

    Raises:
        ConfigError: if the tokenizer lacks a token without which ColBERT cannot read with it.
    """
    if lacking := [name for name in NEEDED_TOKENS if getattr(tokenizer, name) is None]:
        raise ConfigError(
            f"the encoder's tokenizer has no {', '.join(lacking)}",
            expected="a bidirectional encoder with tokens for beginning, end, padding and what is masked",
            where="params.yaml, base.retriever.source",
            next_step="take another encoder, for example minilm",
        )
    known = tokenizer.get_vocab()
    return [mark for mark in (config.query_token_id, config.doc_token_id) if mark not in known]
