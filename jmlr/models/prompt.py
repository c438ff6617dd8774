"""The one prompt: passages, question and answer as reader tokens, in training, evaluation and serving alike."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from jmlr.errors import ConfigError
from jmlr.models import cutting, positions
from jmlr.settings import PromptSettings
from jmlr.types import OPTION_LETTERS, Passage, Question

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

IGNORED = -100
"""Label of a token that carries no loss (the convention of torch's cross entropy)."""
CUE = "\nAnswer:"
"""What the answer follows, after a space."""
_PROBES = (*OPTION_LETTERS, "a", "1", "(", "\u00e9")
"""How answers begin."""
CACHE_BYTES = 64 * 2**20
_ENTRY_BYTES = 400
"""What Python needs for an entry of a cache besides its text and its ids; about."""


@dataclass(frozen=True)
class Prompted:
    """Token ids of one prompt and its answer; a whole answer ends with the end-of-sequence token."""

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]


class PromptWriter:
    """Turns passages, a question and an answer into reader tokens: those that the tokenizer gives for the whole text.

    A passage or an option longer than its bound is cut at its end, a question in its middle (jmlr.models.cutting).
    Passages that do not fit into the whole are left out.
    The layout says whether passages or question come first; "Answer:" always comes last. The prompt is tokenised as
    one text and the answer as it follows "Answer:". Where the tokenizer joins the two, what it joins is the answer's;
    one that joins more than "Answer:" with it is refused.

    Attributes:
        tokenizer: of the reader.
        settings: lengths and form.
        start_ids: tokens that the tokenizer puts before a text, or its start token; may be empty.
        end_id: end-of-sequence token (of BERT's kind [SEP]); None where there is none, and then no answer has an end.
        pad_id: fills rows; it is never looked at.
        answer_room: tokens that an answer may have, without its end.

    Raises:
        ConfigError: where tokens of the reader cannot be told to be the prompt's or the answer's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: PromptSettings) -> None:
        self.tokenizer, self.settings = tokenizer, settings
        if not tokenizer.is_fast:
            raise self._refused("cannot tell where its tokens stand in a text", "a reader with a tokenizer.json")
        self._cache: LRUCache = LRUCache(CACHE_BYTES, getsizeof=_entry_bytes)
        self._lock = Lock()
        self.end_id = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
        self.pad_id = next((one for one in (tokenizer.pad_token_id, self.end_id) if one is not None), 0)
        self.start_ids = _before(tokenizer)
        self._joined = self._joined_tokens()
        cue = self._encode(CUE)
        self._joined_text = self.tokenizer.decode(list(cue[len(cue) - self._joined :])).strip()
        self.answer_room = settings.answer_tokens + self._joined
        self._lower_case = self.tokenizer.decode(list(self._said("B"))).strip() == "b"

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
        room = self.settings.context_tokens - self.answer_room - 1
        kept = len(passages)
        while kept and len(self._prompt(question, passages[:kept])) > room:
            kept -= 1
        return passages[:kept]

    def write(self, question: Question, option: int, passages: Sequence[Passage] = ()) -> Prompted:
        """Prompt and answer tokens: what the likelihood of an option is read from.

        The prompt is the same for every option. With `letter_rationale` the answer is the letter alone, without an
        end, whatever the reader was taught to say after it: the first tokens of "B. Because".

        Args:
            question: the question.
            option: which option is the answer.
            passages: those to read, best first; those that fit are written best last, nearest to the answer.
        """
        prompt = self._prompt(question, self.fitting(question, passages))
        if self._with_rationale:
            return Prompted(prompt, self._letter(OPTION_LETTERS[option])[: self.answer_room])
        answer = self._said(self.answer_text(question, option))[: self.answer_room]
        return Prompted(prompt, (*answer, *self._end))

    def write_taught(self, question: Question, passages: Sequence[Passage] = ()) -> Prompted:
        """Prompt and what the reader is taught to say after it: the right answer, as `write` gives it.

        With `letter_rationale` the question's rationale follows the letter ("B. Because ..."), where it has one.
        Letter and rationale together are cut at `answer_tokens`; a rationale that is cut has no end-of-sequence token,
        so that no reader learns to stop in the middle of a sentence.
        """
        right = self.write(question, question.answer_index, passages)
        if not self._with_rationale:
            return right
        letter = OPTION_LETTERS[question.answer_index]
        if question.rationale:
            said = self._said(f"{letter}. {question.rationale}")
        else:
            said = self._said(letter if _begins(self._said(letter), right.answer_ids) else f"{letter}.")
        end = self._end if len(said) <= self.answer_room else ()
        return Prompted(right.prompt_ids, (*said[: self.answer_room], *end))

    def longest(self, passages: int, options: int) -> int:
        """Tokens of the longest prompt with its answer that the settings allow.

        Args:
            passages: read at most.
            options: of a question at most.
        """
        settings, question = self.settings, Question("", "", ("",) * options, 0, "")
        if settings.context_tokens is not None:
            return settings.context_tokens
        shown = options * settings.answer_tokens if settings.options == "shown" else 0
        frame = len(self._prompt(question, [Passage("", "")] * passages))
        return frame + passages * settings.passage_tokens + settings.question_tokens + shown + self.answer_room + 1

    def refuse_long_prompts(
        self, config: PretrainedConfig, passages: int, options: int = 2, further_tokens: int = 0
    ) -> None:
        """Nothing, if a reader of this configuration has positions for `longest`, and for what is written after it.

        Raises:
            ConfigError: with the keys.
        """
        if self.settings.context_tokens is not None:
            key = "prompt.context_tokens"
        else:
            parts = ["passage_tokens", "question_tokens", "answer_tokens"]
            key = f"prompt.{' + prompt.'.join(parts)} (train.read_passages {passages})"
        asked = {key: self.longest(passages, options) + further_tokens}
        positions.refuse_more(asked, positions.of_reader(config), f"the reader {self.tokenizer.name_or_path}")

    def decode(self, answer_ids: Sequence[int]) -> str:
        """The text of an answer, without special tokens or space around it; a tokenizer without capitals says "B" so.

        A letter is told by its capital, and what a reader writes is read by `jmlr.answering.generation`.
        """
        text = self.tokenizer.decode(list(answer_ids), skip_special_tokens=True).strip()
        text = text.removeprefix(self._joined_text).strip()
        return text[:1].upper() + text[1:] if self._lower_case else text

    def as_said(self, question: Question) -> Question:
        """The question with its options as the reader can say them: cut, and in the tokenizer's own writing."""
        said = [self.decode(self.write(question, option).answer_ids) for option in range(len(question.options))]
        if self.settings.answer == "letter_text":
            said = [text.partition(".")[2].strip() for text in said]
        return replace(question, options=tuple(said)) if "text" in self.settings.answer else question

    @property
    def _with_rationale(self) -> bool:
        return self.settings.answer == "letter_rationale"

    @property
    def _end(self) -> tuple[int, ...]:
        return () if self.end_id is None else (self.end_id,)

    def _prompt(self, question: Question, passages: Sequence[Passage]) -> tuple[int, ...]:
        """Tokens of all that comes before the answer."""
        asked = f"Question: {self._cut(question.text, self.settings.question_tokens, cutting.question)}"
        if self.settings.options == "shown":
            for letter, option in zip(OPTION_LETTERS, question.options, strict=False):
                asked += f"\n{letter}. {self._cut(option, self.settings.answer_tokens)}"
        read = [self._cut(passage.indexed_text, self.settings.passage_tokens) for passage in reversed(passages)]
        if self.settings.layout == "question_first":
            text = asked + "".join(f"\nReference: {passage}" for passage in read)
        else:
            text = "".join(f"Reference: {passage}\n" for passage in read) + asked
        ids = self._encode(text + CUE)
        return (*self.start_ids, *ids[: len(ids) - self._joined])

    def _said(self, answer: str) -> tuple[int, ...]:
        """Tokens of an answer as they follow the cue."""
        return self._encode(f"{CUE} {answer}")[len(self._encode(CUE)) - self._joined :]

    def _letter(self, letter: str) -> tuple[int, ...]:
        """Tokens of a letter before ". Because": its own, or those up to the one that contains it, as "B." may be."""
        said, own = self._said(f"{letter}. Because"), self._said(letter)
        if _begins(said, own):
            return own
        counts = range(1, len(said) + 1)
        return next((said[:count] for count in counts if self.decode(said[:count]).startswith(letter)), own)

    def _encode(self, text: str) -> tuple[int, ...]:
        """Tokens of a text, without special tokens."""
        ids = self._kept((text,), lambda: array("i", self._ids_of(text)))
        return tuple(ids)

    def _ids_of(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def _cut(self, text: str, tokens: int, cut: Callable[..., str] = cutting.beginning) -> str:
        """The text within `tokens` tokens."""
        return self._kept((text, tokens, cut), lambda: cut(text, self.tokenizer, tokens))

    def _kept(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What `make` gives, made again where the cache has let it go."""
        with self._lock:
            if (found := self._cache.get(key)) is not None:
                return found[1]
        made = make()
        if _entry_bytes((key[0], made)) <= CACHE_BYTES:
            with self._lock:
                self._cache[key] = (key[0], made)
        return made

    def _joined_tokens(self) -> int:
        """How many tokens of "Answer:" some answer is joined with: they cannot be given without it."""
        asked = f"Question: Which?{CUE}"
        prompt, cue = self._encode(asked), self._encode(CUE)
        said = [(self._encode(f"{CUE} {probe}"), self._encode(f"{asked} {probe}")) for probe in _PROBES]
        for joined in range(len(self._encode(CUE.strip())) + 1):
            before = prompt[: len(prompt) - joined]
            if all(ids[len(cue) - joined :] and (*before, *ids[len(cue) - joined :]) == whole for ids, whole in said):
                return joined
        raise self._refused('joins what comes before "Answer:" with what follows it', "tokens that end between the two")

    def _refused(self, found: str, expected: str) -> ConfigError:
        return ConfigError(
            f"the tokenizer of {self.tokenizer.name_or_path or type(self.tokenizer).__name__} {found}",
            expected=expected,
            where="params.yaml, base.reader.source",
            next_step="name another reader there, then `dvc repro base`",
        )


def _begins(ids: tuple[int, ...], first: tuple[int, ...]) -> bool:
    return ids[: len(first)] == first


def _entry_bytes(entry: tuple[str, Any]) -> int:
    return sys.getsizeof(entry[0]) + sys.getsizeof(entry[1]) + _ENTRY_BYTES


def _before(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """What the tokenizer puts before a text; its start token, where it has one and leaves putting it to others."""
    whole, plain = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (True, False))
    for first in range(1, len(whole) - len(plain) + 1):
        if whole[first : first + len(plain)] == plain:
            return tuple(whole[:first])
    return () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
