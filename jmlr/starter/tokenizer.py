"""The tokenizer of the small base reader: what stage base pre-trains with and stage validate counts with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from jmlr.starter.reading_items import ContextMaker
from jmlr.types import Passage, Question
from jmlr.words import words_of

WORDS, SAMPLE_CONTEXTS = 4000, 500
PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"


def make_tokenizer(
    texts: Sequence[str], vocabulary_tokens: int, seed: int
) -> tuple[ContextMaker, PreTrainedTokenizerFast]:
    """The tokenizer, the same for the same arguments, and the maker of the contexts it was trained on.

    Args:
        texts: as `texts_of` gives them; only their words are used, never their facts.
        vocabulary_tokens: size of the vocabulary.
        seed: of the invented contexts.
    """
    words = frequent_words(texts)
    maker, contexts = ContextMaker(words, seed), SAMPLE_CONTEXTS if words else 0  # nothing is invented of no words
    invented = [passage.text for _ in range(contexts) for passage in maker.draw().passages]
    return maker, train_tokenizer([*texts, *invented], vocabulary_tokens)


def texts_of(passages: Sequence[Passage], questions: Sequence[Question]) -> list[str]:
    """What the starter may know of the data: passages and training questions."""
    return [one.indexed_text for one in passages] + [one.text for one in questions if one.split == "train"]


def frequent_words(texts: Sequence[str]) -> list[str]:
    """The most frequent Latin words, in alphabetical order; without any, those of other scripts.

    >>> frequent_words(["Gout hurts.", "gout, again"]), frequent_words(["痛风。"])
    (['Gout', 'again', 'gout', 'hurts'], ['痛', '风'])
    """
    counts = Counter(word for text in texts for word in re.findall(r"[A-Za-z][A-Za-z-]*[A-Za-z]", text))
    counts = counts or Counter(word for text in texts for word in words_of(text))
    return sorted(word for word, _ in counts.most_common(WORDS))


def train_tokenizer(texts: Sequence[str], vocabulary_tokens: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: every text can be written, none needs an unknown token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_tokens,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS)
