"""The one prompt: passages, question and answer as reader tokens, in training, evaluation and serving alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from jmlr.config import PromptSettings
from jmlr.types import OPTION_LETTERS, Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""Label of a token that carries no loss (the convention of torch's cross entropy)."""


@dataclass(frozen=True)
class Prompted:
    """Token ids of one prompt and its answer; a whole answer ends with the end-of-sequence token."""

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]


class PromptWriter:
    """Turns passages, a question and an answer into reader tokens.

    Each segment is tokenised alone and then joined, so the tokens of a passage are the same wherever it stands.
    A passage or a question longer than its bound is cut at its end; the question's own sentence comes last in a
    vignette, so a question is cut at its beginning instead. Passages that do not fit into the whole are left out.
    The layout says whether passages or question come first; "Answer:" always comes last.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: PromptSettings) -> None:
        self.tokenizer, self.settings = tokenizer, settings
        self._encode = lru_cache(maxsize=200_000)(self._encode_uncached)

    def _encode_uncached(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer_text(self, question: Question, option: int) -> str:
        """The answer as the reader must say it, for the option numbered `option`; a rationale may follow a letter."""
        letter, text = OPTION_LETTERS[option], question.options[option]
        forms = {"text": text, "letter": letter, "letter_text": f"{letter}. {text}", "letter_rationale": letter}
        return forms[self.settings.answer]

    def fitting(self, question: Question, passages: Sequence[Passage]) -> Sequence[Passage]:
        """The first of `passages`, best first, that fit with the question into `context_tokens`; all without a bound.

        Whole passages are dropped, the worst first; the question is never cut for them. Room for the longest answer
        is set aside, so that every option of a question is weighed after the same passages.
        """
        if self.settings.context_tokens is None:
            return passages
        room = self.settings.context_tokens - len(self._asked(question)) - len(self._cue()) - 1
        room -= self.settings.answer_tokens
        room -= self.tokenizer.bos_token_id is not None
        for kept, passage in enumerate(passages):
            room -= len(self._reference(passage))
            if room < 0:
                return passages[:kept]
        return passages

    def write(self, question: Question, option: int, passages: Sequence[Passage] = ()) -> Prompted:
        """Prompt and answer tokens: what the likelihood of an option is read from.

        With `letter_rationale` the answer is the letter alone, without an end: the same for every option, whatever
        the reader was taught to say after it.

        Args:
            question: the question.
            option: which option is the answer.
            passages: those to read, best first; those that fit are written best last, nearest to the answer.
        """
        beginning = () if self.tokenizer.bos_token_id is None else (self.tokenizer.bos_token_id,)
        read = [token for passage in reversed(self.fitting(question, passages)) for token in self._reference(passage)]
        asked = self._asked(question)
        context = (*asked, *read) if self._question_first else (*read, *asked)
        answer = self._encode(" " + self.answer_text(question, option))[: self.settings.answer_tokens]
        end = () if self._with_rationale else (self.tokenizer.eos_token_id,)
        return Prompted((*beginning, *context, *self._cue()), (*answer, *end))

    def write_taught(self, question: Question, passages: Sequence[Passage] = ()) -> Prompted:
        """Prompt and what the reader is taught to say after it: the right answer, as `write` gives it.

        With `letter_rationale` the question's rationale follows the letter ("B. Because ..."), where it has one.
        Letter and rationale together are cut at `answer_tokens`; a rationale that is cut has no end-of-sequence token,
        so that no reader learns to stop in the middle of a sentence.
        """
        right = self.write(question, question.answer_index, passages)
        if not self._with_rationale:
            return right
        rationale = self._encode(f". {question.rationale}") if question.rationale else ()
        said = (*right.answer_ids, *rationale)
        end = (self.tokenizer.eos_token_id,) if len(said) <= self.settings.answer_tokens else ()
        return Prompted(right.prompt_ids, (*said[: self.settings.answer_tokens], *end))

    @property
    def _with_rationale(self) -> bool:
        return self.settings.answer == "letter_rationale"

    @property
    def _question_first(self) -> bool:
        return self.settings.layout == "question_first"

    def _reference(self, passage: Passage) -> tuple[int, ...]:
        """Tokens of one passage with the words around it."""
        text = self._encode(passage.indexed_text)[: self.settings.passage_tokens]
        if self._question_first:
            return (*self._encode("\nReference: "), *text)
        return (*self._encode("Reference: "), *text, *self._encode("\n"))

    def _asked(self, question: Question) -> tuple[int, ...]:
        """Tokens of the question and of the options where they are shown."""
        ids = [*self._encode("Question: "), *self._encode(question.text)[-self.settings.question_tokens :]]
        if self.settings.options == "shown":
            for letter, text in zip(OPTION_LETTERS, question.options, strict=False):
                ids += self._encode(f"\n{letter}. ")
                ids += self._encode(text)[: self.settings.answer_tokens]
        return tuple(ids)

    def _cue(self) -> tuple[int, ...]:
        """Tokens that the answer follows."""
        return self._encode("\nAnswer:")


@dataclass(frozen=True)
class ReaderBatch:
    """Right-padded reader input: three int64 tensors of shape (N, T); labels are IGNORED except on answers."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> ReaderBatch:
        """The same on `device`."""
        return ReaderBatch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device))


def by_length(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Numbers of all items, shortest first, in groups of at most `tokens` once padded; one item always fits.

    >>> by_length([5, 2, 9, 2], tokens=10)
    [[1, 3], [0], [2]]
    """
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        if groups and (len(groups[-1]) + 1) * lengths[number] <= tokens:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def pad(prompted: Sequence[Prompted], pad_token_id: int) -> ReaderBatch:
    """One right-padded batch, padded to the longest item and no further.

    >>> batch = pad([Prompted((5, 6), (7,)), Prompted((5,), (8,))], pad_token_id=0)
    >>> batch.input_ids.tolist(), batch.labels.tolist()
    ([[5, 6, 7], [5, 8, 0]], [[-100, -100, 7], [-100, 8, -100]])
    """
    longest = max(len(item.prompt_ids) + len(item.answer_ids) for item in prompted)
    input_ids = torch.full((len(prompted), longest), pad_token_id)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for row, item in enumerate(prompted):
        prompt, answer = len(item.prompt_ids), len(item.answer_ids)
        input_ids[row, : prompt + answer] = torch.tensor(item.prompt_ids + item.answer_ids)
        attention_mask[row, : prompt + answer] = 1
        labels[row, prompt : prompt + answer] = torch.tensor(item.answer_ids)
    return ReaderBatch(input_ids, attention_mask, labels)
