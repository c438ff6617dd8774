"""Which texts are cut on their way to retriever and reader, and which options the cut makes equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jmlr.data.chunking import TokenCounter
from jmlr.models.prompt import CUE, PromptWriter
from jmlr.settings import IndexSettings
from jmlr.settings.rules import MARKERS
from jmlr.types import OPTION_LETTERS, Passage, Question

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Cuts:
    """Columns for the expectations of jmlr/validation: "" where nothing is cut, None where nothing is asked.

    Args:
        retriever: its encoder's tokenizer.json; its own cut and padding are taken off.
        index: the retriever's lengths.
        writer: of the reader's prompts, with its lengths.
    """

    def __init__(self, retriever: Tokenizer, index: IndexSettings, writer: PromptWriter) -> None:
        self._tokens, self._index = TokenCounter(retriever), index
        self._reader, self._prompt = writer.tokenizer, writer.settings

    def of_passages(self, passages: Sequence[Passage]) -> dict[str, list[Any]]:
        """text_tokens (of the retriever, title included), passage_cut_by_retriever and passage_cut_by_reader."""
        texts = [passage.indexed_text for passage in passages]
        return {
            "text_tokens": self._tokens.of_texts(texts),
            "passage_cut_by_retriever": self._by_retriever(texts, self._index.passage_tokens),
            "passage_cut_by_reader": [_told(len(ids), self._prompt.passage_tokens) for ids in self._ids(texts)],
        }

    def of_questions(self, questions: Sequence[Question]) -> dict[str, list[Any]]:
        """question_cut_by_retriever, question_cut_by_reader, options_cut, options_tied (letters), rationale_cut.

        Options as they are shown and as they are said are looked at; rationales where the reader is taught them.
        """
        texts, kept = [question.text.rstrip() for question in questions], self._prompt.answer_tokens
        cut, tied = self._options(questions)
        taught = [one.split == "train" and bool(one.rationale) for one in questions]
        said = self._said([f"A. {one.rationale}" for one in questions]) if self._teaches_rationales else []
        rationales: list[Any] = [_told(len(ids), kept) for ids in said] or [None] * len(questions)
        return {
            "question_cut_by_retriever": self._by_retriever(texts, self._index.query_tokens),
            "question_cut_by_reader": [_told(len(ids), self._prompt.question_tokens) for ids in self._ids(texts)],
            "options_cut": cut,
            "options_tied": tied,
            "rationale_cut": [told if asked else None for told, asked in zip(rationales, taught, strict=True)],
        }

    def _by_retriever(self, texts: Sequence[str], bound: int) -> list[str]:
        return [_told(count, bound - MARKERS) for count in self._tokens.of_texts(texts)]

    @property
    def _teaches_rationales(self) -> bool:
        return self._prompt.answer == "letter_rationale"

    def _options(self, questions: Sequence[Question]) -> tuple[list[str], list[str]]:
        """Per question what is cut, and the letters of options that are the same once they are."""
        options, tokens = [option for question in questions for option in question.options], self._prompt.answer_tokens
        forms = [self._ids(options)] if self._prompt.options == "shown" else []
        if self._prompt.answer == "text":
            forms.append(self._said(options))
        elif self._prompt.answer == "letter_text":
            letters = [letter for one in questions for letter in _letters(one)]
            forms.append(self._said([f"{letter}. {option}" for letter, option in zip(letters, options, strict=True)]))
        cut, tied, start = [], [], 0
        for question in questions:
            of_question = [form[start : start + len(question.options)] for form in forms]
            start += len(question.options)
            longest = max((len(ids) for form in of_question for ids in form), default=0)
            cut.append(_told(longest, tokens))
            same = [_equal([tuple(ids[:tokens]) for ids in form]) for form in of_question]
            tied.append(", ".join(letter for letter, *one in zip(_letters(question), *same, strict=True) if any(one)))
        return cut, tied

    def _said(self, answers: Sequence[str]) -> list[list[int]]:
        """Tokens of answers as they follow the cue."""
        cue = len(self._ids([CUE])[0])
        return [ids[cue:] for ids in self._ids([f"{CUE} {answer}" for answer in answers])]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return self._reader(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else []


def _told(tokens: int, kept: int) -> str:
    """What is said of a text of so many tokens.

    >>> _told(8, 8), _told(90, 8)
    ('', '90 tokens, 8 kept')
    """
    return f"{tokens} tokens, {kept} kept" if tokens > kept else ""


def _equal(items: Sequence[tuple[int, ...]]) -> list[bool]:
    """Which of the items are there twice.

    >>> _equal([(1,), (2,), (1,)])
    [True, False, True]
    """
    return [items.count(item) > 1 for item in items]


def _letters(question: Question) -> list[str]:
    """Of its options; of those that no letter is left for, the number."""
    numbers = range(1, len(question.options) + 1)
    return [OPTION_LETTERS[number - 1] if number <= len(OPTION_LETTERS) else str(number) for number in numbers]
