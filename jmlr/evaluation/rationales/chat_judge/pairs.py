"""Pairwise judging: which of two explanations a chat model prefers, each pair asked in both orders.

A judge prefers places as well as answers (Wang et al. 2023, arXiv 2305.17926): both orders are asked, and
`judge_agreement` counts a win only where they agree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from jmlr import fingerprint
from jmlr.errors import DataError, MissingResource
from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient, Endpoint, Message
from jmlr.evaluation.rationales.chat_judge.log import Judgement, JudgementLog
from jmlr.types import OPTION_LETTERS, Question

ORDERS = ("given", "swapped")
"""`given`: the first arm's text stands in place A; `swapped`: the second's."""

INSTRUCTIONS = Path(__file__).with_name("instructions.j2").read_text(encoding="utf-8").rstrip("\n")
"""What the judge is told; there are no placeholders in it."""

_VERDICT = re.compile(r"VERDICT: (A|B|TIE)")


@dataclass(frozen=True)
class Comparison:
    """Two texts on one question.

    Attributes:
        question: what both explain; the judge is told its right answer.
        arms: names of the first and the second arm.
        texts: theirs.
    """

    question: Question
    arms: tuple[str, str]
    texts: tuple[str, str]


def verdict(reply: str) -> str | None:
    r"""A, B or TIE, as the reply's last line says it; None if it says none, or more than one, or in other words.

    Nothing is guessed: a reply without this line, or with another line that begins so, cannot be read.

    >>> verdict("B invents a drug.\nVERDICT: A"), verdict("I prefer A."), verdict("VERDICT: A\nVERDICT: B")
    ('A', None, None)
    """
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    claims = [line for line in lines if line.upper().startswith("VERDICT")]
    match = _VERDICT.fullmatch(lines[-1]) if len(claims) == 1 else None
    return match[1] if match else None


def _fenced(name: str, text: str, number: str) -> str:
    return f"=== {name}, begin {number} ===\n{text}\n=== {name}, end {number} ==="


def messages(comparison: Comparison, order: str) -> list[Message]:
    """What the judge is asked.

    The fences carry a hash of all they hold: a text cannot close its own fence, for it would have to contain its own
    hash.

    `order`: one of ORDERS.
    """
    question, (first, second) = comparison.question, comparison.texts
    shown = (first, second) if order == ORDERS[0] else (second, first)
    options = "\n".join(f"{letter}. {text}" for letter, text in zip(OPTION_LETTERS, question.options, strict=False))
    asked = f"{question.text}\n{options}\nRight answer: {question.answer}"
    number = hashlib.sha256("\x1f".join((asked, first, second)).encode("utf-8", "replace")).hexdigest()[:16]
    names = ("question", "explanation A", "explanation B")
    content = "\n\n".join(
        _fenced(name, text.encode("utf-8", "replace").decode(), number)
        for name, text in zip(names, (asked, *shown), strict=True)
    )
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": content}]


def _asked(comparison: Comparison, order: str, endpoint: Endpoint) -> Judgement:
    """A judgement yet to be made: its key."""
    prompt = fingerprint.of_json({"messages": messages(comparison, order), "parameters": dict(endpoint.parameters)})
    return Judgement(comparison.question.question_id, *comparison.arms, order, prompt, endpoint.model)


def _check(comparisons: Iterable[Comparison]) -> None:
    seen: set[tuple[str, tuple[str, str]]] = set()
    for comparison in comparisons:
        key, where = (comparison.question.question_id, comparison.arms), f"question {comparison.question.question_id}"
        if comparison.arms[0] == comparison.arms[1]:
            raise DataError(f"the arm {comparison.arms[0]} twice", expected="two arms", where=where)
        if key in seen:
            raise DataError("compared twice", expected="one comparison of two arms a question", where=where)
        seen.add(key)


def judge(comparisons: Sequence[Comparison], client: ChatClient, log: Path, threads: int = 4) -> list[Judgement]:
    """The judgements of all comparisons, in their order, `given` before `swapped`.

    Each is appended to `log` as it comes, and what the log already has for the same question, arms, order, prompt and
    model is not asked again: a killed run continues. A reply that cannot be read is kept as such.

    `comparisons`: at most one of two arms a question. `log`: JSON lines; made if there is none.

    Raises:
        DataError: if a question is compared twice, or the log is broken.
        MissingResource: if the endpoint fails; what was judged until then is in the log.
    """
    _check(comparisons)
    asked = {
        _asked(comparison, order, client.endpoint): messages(comparison, order)
        for comparison in comparisons
        for order in ORDERS
    }
    failures: list[MissingResource] = []
    with JudgementLog(log) as kept:
        missing = [judgement for judgement in asked if judgement.key not in kept.judgements]
        bar = tqdm(desc=f"judging by {client.endpoint.model}", total=len(asked), initial=len(asked) - len(missing))
        with bar, ThreadPoolExecutor(threads) as pool:

            def ask(judgement: Judgement) -> None:
                try:
                    kept.append(_made(judgement, asked[judgement], client))
                except MissingResource as error:
                    failures.append(error)
                    client.stop()
                    raise
                bar.update()

            running = [pool.submit(ask, judgement) for judgement in missing]
            try:
                for future in as_completed(running):
                    future.result()
            except BaseException:  # a failure or an interrupt: what has not begun is not begun
                client.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                if failures:  # the first is the endpoint's; those after it may come of being stopped
                    raise failures[0] from None
                raise
        return [kept.judgements[judgement.key] for judgement in asked]


def _made(judgement: Judgement, prompt: Sequence[Message], client: ChatClient) -> Judgement:
    try:
        reply = client.complete(prompt)
    except MissingResource as error:
        where = f"{error.where}, question {judgement.question_id}"
        raise MissingResource(error.found, expected=error.expected, where=where, next_step=error.next_step) from error
    return replace(
        judgement,
        verdict=verdict(reply.text),
        reply=reply.text,
        refused=reply.refused,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
    )
