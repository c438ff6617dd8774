"""The starter's passages and exam questions, made from the knowledge base byte for byte the same everywhere.

Every condition has one guideline-like passage per aspect. So the hard distractors of a question are the other aspects
of its condition and the same aspect of similar conditions. A vignette tells one finding as a chart would and three in a
patient's words, which share no content word with the guideline's; its question shares none with the statement that
answers it. So word overlap hints at the condition and does not find the passage.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

from jmlr.errors import DataError
from jmlr.files import write_text
from jmlr.starter.knowledge import Condition, Finding, load
from jmlr.starter.wording import ASPECTS, PASSAGE_OPENINGS, VIGNETTE_OPENINGS, Aspect, join_phrases

SEED = "jmlr starter 1"
TEST_SHARE, DEV_SHARE = 0.25, 0.05
FINDINGS_PER_VIGNETTE, OPTIONS = 4, 4
TEST_SEEN_ASPECTS = 2
ADULT_YEARS = 18


def identifier(name: str) -> str:
    """A name as an id: lower case, words joined by hyphens.

    >>> identifier("Guillain-Barre syndrome")
    'guillain-barre-syndrome'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def make_passages(conditions: Iterable[Condition]) -> list[dict[str, str]]:
    """One row per condition and aspect, in the plain JSON-lines format."""
    rows = []
    for condition in conditions:
        for aspect in ASPECTS:
            draw = _generator(condition.name, aspect.name, "passage")
            findings = [finding.term for finding in condition.findings]
            draw.shuffle(findings)
            opening = draw.choice(PASSAGE_OPENINGS).format(name=condition.name, findings=join_phrases(findings))
            statement = draw.choice(aspect.statements).format(condition.answers[aspect.name])
            rows.append(
                {
                    "passage_id": f"{identifier(condition.name)}/{aspect.name}",
                    "text": f"{opening} {statement}",
                    "document_id": identifier(condition.name),
                    "section": aspect.name,
                }
            )
    return rows


def make_questions(conditions: tuple[Condition, ...]) -> list[dict[str, object]]:
    """Vignettes on every condition and aspect, one each, of `train`, `dev` or `test`.

    Conditions of training are asked about once more, on two aspects, by new vignettes of the split `test_seen`.
    """
    splits = assign_splits(conditions)
    rows = []
    for condition in conditions:
        split = splits[condition.name]
        seen = _generator(condition.name, "test_seen").sample(ASPECTS, TEST_SEEN_ASPECTS) if split == "train" else []
        for aspect in ASPECTS:
            for number, use in enumerate([split, "test_seen"] if aspect in seen else [split]):
                rows.append(_make_question(condition, aspect, number, use, conditions))
    return rows


def assign_splits(conditions: Iterable[Condition]) -> dict[str, str]:
    """The split of each condition's questions; every specialty holds out the same shares."""
    by_specialty: dict[str, list[str]] = {}
    for condition in conditions:
        by_specialty.setdefault(condition.specialty, []).append(condition.name)
    splits = {}
    for specialty, names in by_specialty.items():
        _generator(specialty, "splits").shuffle(names)
        tests, devs = round(len(names) * TEST_SHARE), max(1, round(len(names) * DEV_SHARE))
        for place, name in enumerate(names):
            splits[name] = "test" if place < tests else "dev" if place < tests + devs else "train"
    return splits


def write(folder: Path) -> None:
    """Writes passages.jsonl and questions.jsonl into `folder`; the same bytes on every machine.

    Raises:
        DataError: if a file of that name has other content: it may be someone's own data.
    """
    conditions = load()
    texts = {
        folder / "passages.jsonl": "".join(f"{json.dumps(row)}\n" for row in make_passages(conditions)),
        folder / "questions.jsonl": "".join(f"{json.dumps(row)}\n" for row in make_questions(conditions)),
    }
    for file, text in texts.items():
        if file.exists() and file.read_bytes() != text.encode():
            found, next_step = "it is not the starter's", "move it away, or `jmlr starter data --folder ANOTHER`"
            raise DataError(found, expected="no such file", where=str(file), next_step=next_step)
    for file, text in texts.items():
        write_text(file, text)


def _make_question(
    condition: Condition, aspect: Aspect, number: int, split: str, conditions: tuple[Condition, ...]
) -> dict[str, object]:
    draw = _generator(condition.name, aspect.name, "question", str(number))
    findings = draw.sample(condition.findings, FINDINGS_PER_VIGNETTE)
    options = [condition.answers[aspect.name], *_wrong_options(condition, aspect, conditions, draw)]
    draw.shuffle(options)
    return {
        "question_id": f"{identifier(condition.name)}/{aspect.name}/{number}",
        "question": f"{_vignette(condition, findings, draw)} {draw.choice(aspect.questions)}",
        "options": options,
        "answer_index": options.index(condition.answers[aspect.name]),
        "split": split,
        "question_type": aspect.name,
        "subject": condition.name,
        "gold_passage_ids": [f"{identifier(condition.name)}/{aspect.name}"],
    }


def _vignette(condition: Condition, findings: list[Finding], draw: random.Random) -> str:
    years = draw.randint(*condition.age_years)
    sex = draw.choice(("female", "male")) if condition.sex == "any" else condition.sex
    names = {"female": ("girl", "woman"), "male": ("boy", "man")}[sex]
    phrases = [findings[0].term, *(draw.choice(finding.lay) for finding in findings[1:])]
    draw.shuffle(phrases)
    person = names[years >= ADULT_YEARS]
    return draw.choice(VIGNETTE_OPENINGS).format(
        age=_with_article(years), person=person, findings=join_phrases(phrases)
    )


def _with_article(years: int) -> str:
    """An age with its article: "an 8", "an 83", "an 18", "a 7"."""
    return f"{'An' if str(years)[0] == '8' or years in (11, 18) else 'A'} {years}"


def _wrong_options(
    condition: Condition, aspect: Aspect, conditions: tuple[Condition, ...], draw: random.Random
) -> list[str]:
    """Answers of siblings first, then of the specialty, then of any; none equal, overlapping or also true."""
    right = {condition.answers[aspect.name], *condition.also_true.get(aspect.name, ())}
    strangers = [other for other in conditions if other.name != condition.name]
    draw.shuffle(strangers)
    strangers.sort(key=lambda other: _distance(condition, other))
    chosen: list[str] = []
    for other in strangers:
        answer = other.answers[aspect.name]
        if not any(_overlap(answer, taken) for taken in (*right, *chosen)):
            chosen.append(answer)
        if len(chosen) == OPTIONS - 1:
            break
    return chosen


def _distance(condition: Condition, other: Condition) -> int:
    if other.name in condition.siblings or condition.name in other.siblings:
        return 0
    return 1 if other.specialty == condition.specialty else 2


def _overlap(one: str, other: str) -> bool:
    """Whether two answers share a word of four letters or more, and so might both be right."""
    words = [{word for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 3} for text in (one, other)]
    return bool(words[0] & words[1]) or one.lower() == other.lower()


def _generator(*parts: str) -> random.Random:
    """A generator seeded by words, the same in every Python version and process."""
    return random.Random(int.from_bytes(hashlib.sha256("/".join((SEED, *parts)).encode()).digest()[:8], "big"))
