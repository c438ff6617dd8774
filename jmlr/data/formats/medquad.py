"""MedQuAD: XML files of question-answer pairs. Source: Ben Abacha and Demner-Fushman 2019, arXiv 1901.08079.

Answers are the passages. Exam questions are made from them: the options are a key sentence of the right answer and
of three answers of the same question type about other foci. That needs all files, so `load` yields drafts whose
options are the sentences to choose from, and `finish` chooses.
"""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import plain_path, read_text
from jmlr.data.rows import clean
from jmlr.errors import DataError
from jmlr.types import Passage, Question, Rejected, Row

KEY_WORDS = 25
"""Words of an option at most."""
_SHORTEST_WORDS = 6
_CANDIDATE_SENTENCES = 6
_OPTIONS = 4
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(-])|\s+-\s+(?=[A-Z])")
_FOCUS_FRAME = re.compile(r"^(what i need to know about|parasites -)\s+|\s*\(also known as .*\)$", re.IGNORECASE)
_FILLER = {
    "a",
    "an",
    "and",
    "in",
    "of",
    "or",
    "the",
    "with",
    "disease",
    "diseases",
    "disorder",
    "disorders",
    "syndrome",
}


def _parse(path: Path) -> ElementTree.Element:
    """The root of a file; document types and entities, by which XML can attack its reader, are refused."""
    text = read_text(path)
    found = re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise DataError(f"a {found[1].upper()} declaration", expected="plain elements", where=f"{path}, line {line}")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"broken XML: {error.msg}", where=f"{path}, line {error.position[0]}") from error


def _first(element: ElementTree.Element, *tags: str) -> ElementTree.Element | None:
    return next((child for tag in tags for child in element.iter(tag)), None)


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None else clean("".join(element.itertext()))


def _pairs(root: ElementTree.Element, path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Pair id, question type, question and answer; four NINDS files spell the tags otherwise."""
    pairs = [*root.iter("QAPair"), *root.iter("pair")]
    if not pairs and _first(root, "QAPairs", "qaPairs") is None:
        raise DataError("no question-answer pairs", expected="a QAPairs element", where=f"{path}, element {root.tag}")
    for pair in pairs:
        question = _first(pair, "Question", "question")
        pair_id = pair.get("pid", "")
        if question is None or not pair_id:
            raise DataError("no Question or no pid", expected="both", where=f"{path}, pair {pair_id or '?'}")
        text = re.sub(r"\s*\?[\s?]*$", "?", _text(question))
        yield pair_id, clean(question.get("qtype")), text, _text(_first(pair, "Answer", "answer"))


def key_sentences(text: str) -> tuple[str, ...]:
    """The first sentences of at least 6 words, each cut at 25 words; all are verbatim in the text.

    >>> key_sentences("Key Points - Gout is a painful arthritis of the joints. It hurts.")
    ('Gout is a painful arthritis of the joints.',)
    """
    sentences = [part.removeprefix("- ").split() for part in _SENTENCE_END.split(text)]
    long_enough = [words for words in sentences if len(words) >= _SHORTEST_WORDS]
    return tuple(" ".join(words[:KEY_WORDS]) for words in long_enough[:_CANDIDATE_SENTENCES])


def _draft_fault(focus: str, question: str, answer: str, sentences: tuple[str, ...]) -> str:
    """Why no draft can be made; empty if one can."""
    if not answer:
        return "answer missing"
    if not focus:
        return "focus missing"
    if not question:
        return "question text or type missing"
    return "" if sentences else "answer too short for an option"


def _focus(root: ElementTree.Element, path: Path) -> str:
    """What a file is about; empty where the element is (some CDC files were published so)."""
    element = _first(root, "Focus", "doctitle-focus")
    if element is None:
        raise DataError("no focus", expected="a Focus element", where=f"{path}, element {root.tag}")
    return _text(element)


def _draft(text: str, passage: Passage) -> Question:
    """The question on an answer, its options yet to be chosen."""
    return Question(
        question_id=passage.passage_id,
        text=text,
        options=key_sentences(passage.text),
        answer_index=0,
        split="",
        source=passage.source,
        question_type=passage.section,
        subject=_FOCUS_FRAME.sub("", passage.title),
        gold_passage_ids=(passage.passage_id,),
        licence=passage.licence,
        origin_id=passage.passage_id.rpartition("-")[2],
    )


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """Answers of one file as passages, and drafts of questions for `finish`; pairs without an answer are rejected.

    Raises:
        DataError: naming the line or pair that is broken.
    """
    root = _parse(path)
    focus, pairs = _focus(root, path), list(_pairs(root, path))
    corpus = clean(root.get("source") or root.get("corpus") or path.parent.name)
    document_id = f"medquad:{corpus}:{plain_path(path).stem}"
    if not pairs:  # some NIDDK files were published so
        yield Rejected(path.as_posix(), "QAPairs", "file without question-answer pairs", focus)
    for pair_id, question_type, text, answer in pairs:
        passage = Passage(
            passage_id=f"{document_id}-{pair_id}",
            text=answer,
            title=focus,
            source=f"medquad/{corpus}",
            document_id=document_id,
            section=question_type,
            licence=source.licence,
        )
        draft = _draft(text, passage)
        if answer:
            yield passage
        reason = _draft_fault(focus, text and question_type, answer, draft.options)
        yield Rejected(path.as_posix(), pair_id, reason, text) if reason else draft


@cache
def _focus_words(subject: str) -> frozenset[str]:
    words = frozenset(re.findall(r"\w+", subject.casefold()))
    return words - _FILLER or words


def _choose_keys(drafts: list[Question]) -> tuple[list[Question], list[Rejected]]:
    """Drafts with one option left: the first sentence that no answer about another focus has."""
    owners: dict[str, set[str]] = defaultdict(set)
    for draft in drafts:
        for sentence in draft.options:
            owners[sentence.casefold()].add(draft.subject.casefold())
    chosen, rejected = [], []
    for draft in drafts:
        own = next((sentence for sentence in draft.options if len(owners[sentence.casefold()]) == 1), None)
        if own is None:
            reason = "no key sentence of its own"
            rejected.append(Rejected(draft.source, draft.question_id, reason, draft.options[0]))
        else:
            chosen.append(replace(draft, options=(own,)))
    return chosen, rejected


def _with_distractors(draft: Question, same_type: dict[str, list[Question]], seed: int) -> Question | None:
    """The draft with three options more, of foci that do not name its own; None if there are fewer."""
    own = _focus_words(draft.subject)
    others = [
        subject for subject in sorted(same_type) if not (_focus_words(subject) <= own or own <= _focus_words(subject))
    ]
    if len(others) < _OPTIONS - 1:
        return None
    # a generator a question: other questions do not change this one's order
    draw = random.Random(f"{seed}:{draft.question_id}")
    right = draft.options[0]
    options = [right, *(draw.choice(same_type[subject]).options[0] for subject in draw.sample(others, _OPTIONS - 1))]
    draw.shuffle(options)
    return replace(draft, options=tuple(options), answer_index=options.index(right))


def finish(drafts: list[Question], seed: int) -> tuple[list[Question], list[Rejected]]:
    """The drafts of all files as exam questions of four options, and those that cannot be one.

    Args:
        drafts: all that `load` yielded.
        seed: other seeds draw other distractors and orders.
    """
    drafts, rejected = _choose_keys(drafts)
    by_type: dict[str, dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    for draft in drafts:
        by_type[draft.question_type][draft.subject.casefold()].append(draft)
    questions = []
    for draft in drafts:
        question = _with_distractors(draft, by_type[draft.question_type], seed)
        if question is None:
            reason = f"fewer than {_OPTIONS} foci of its question type"
            rejected.append(Rejected(draft.source, draft.question_id, reason, draft.question_type))
        else:
            questions.append(question)
    return questions, rejected
