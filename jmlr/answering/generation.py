"""What the reader writes: greedy text, for the strict reading of an answer and for rationales."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from tqdm import tqdm

from jmlr.answering.answerer import Answerer
from jmlr.types import OPTION_LETTERS, Hit, Question

_LETTER = re.compile(r"\(?([A-J])\)?(?:[.:)]|$|\s)")
_LETTER_AS_TAUGHT = re.compile(r"([A-J])(?:\.|$)")
"""Before a rationale: "A" may begin its first sentence."""


@torch.inference_mode()
def say(
    answerer: Answerer,
    questions: Sequence[Question],
    hits: Mapping[str, Sequence[Hit]],
    max_tokens: int,
    progress: str = "",
) -> dict[str, str]:
    """The text that the reader writes after each prompt, likeliest token by token, by question id.

    `hits`: by question id, best first; as many are read as in `Answerer.read`. `max_tokens`: reader tokens at most.
    """
    writer, reader = answerer.writer, answerer.reader
    size, most = answerer.settings.evaluate.questions_per_batch, answerer.settings.train.read_passages
    said: dict[str, str] = {}
    ordered = answerer.longest_first(questions, hits)
    for start in tqdm(range(0, len(ordered), size), desc=progress, disable=not progress, unit="batch"):
        batch = ordered[start : start + size]
        prompts = []
        for question in batch:
            passages = [answerer.passages[hit.passage_id] for hit in hits[question.question_id][:most]]
            prompts.append(writer.write(question, 0, passages).prompt_ids)
        longest = max(map(len, prompts))
        ids = torch.full((len(prompts), longest), writer.pad_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        written = reader.generate(
            input_ids=ids.to(reader.device),
            attention_mask=mask.to(reader.device),
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=writer.end_id,
            pad_token_id=writer.pad_id,
        )
        texts = map(writer.decode, written[:, longest:].tolist())
        said.update((question.question_id, text) for question, text in zip(batch, texts, strict=True))
    return said


def strict_choice(text: str, question: Question, form: str) -> int | None:
    """The option that a text names and nothing else, or None: then the answer is unreadable and counts as wrong.

    `form`: `text`: the text must be an option's, except for case, spaces and a final full stop; `letter`: it must
    begin with one option's letter; `letter_text`: with a letter, and what follows must be that option's text;
    `letter_rationale`: with a letter and a full stop, or it must be the letter.

    >>> asked = Question("q1", "?", ("Joint fluid microscopy", "ECG"), 0, "test")
    >>> strict_choice("ecg.", asked, "text"), strict_choice("an ECG", asked, "text")
    (1, None)
    >>> strict_choice("(A) because", asked, "letter"), strict_choice("Arthritis", asked, "letter")
    (0, None)
    >>> strict_choice("B. ECG", asked, "letter_text"), strict_choice("A. ECG", asked, "letter_text")
    (1, None)
    >>> strict_choice("B. It is slow", asked, "letter_rationale"), strict_choice("A man", asked, "letter_rationale")
    (1, None)
    """
    if form == "text":
        same = [place for place, option in enumerate(question.options) if _plain(option) == _plain(text)]
        return same[0] if len(same) == 1 else None
    found = (_LETTER_AS_TAUGHT if form == "letter_rationale" else _LETTER).match(text.strip())
    place = OPTION_LETTERS.index(found[1]) if found else len(question.options)
    if place >= len(question.options):
        return None
    rest = text.strip()[found.end() :] if found else ""
    return place if form != "letter_text" or _plain(rest) == _plain(question.options[place]) else None


def rationale_in(text: str, form: str) -> str:
    """The rationale within what the reader wrote: with `letter_rationale` what follows the letter, else all of it.

    >>> rationale_in("B. The rhythm is slow.", "letter_rationale"), rationale_in("B", "letter_rationale")
    ('The rhythm is slow.', '')
    >>> rationale_in("The rhythm is slow.", "letter_rationale"), rationale_in("B. ECG", "letter_text")
    ('The rhythm is slow.', 'B. ECG')
    """
    found = _LETTER_AS_TAUGHT.match(text.strip()) if form == "letter_rationale" else None
    return text.strip()[found.end() :].strip() if found else text


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")
