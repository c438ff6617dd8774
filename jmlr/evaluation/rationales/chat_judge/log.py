"""Judgements on disk: JSON lines that are only ever appended to, so that a killed run goes on."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from jmlr.errors import DataError
from jmlr.files import alone, read_lines

Key = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Judgement:
    """One reply of the judge, or the place of one.

    Attributes:
        question_id: of the question.
        first_arm: the comparison's first arm.
        second_arm: its second.
        order: `given` if the first arm stood in place A, else `swapped`.
        prompt_sha256: of messages and parameters.
        model: the judge.
        verdict: A, B or TIE; None if the reply could not be read.
        reply: the judge's words.
        refused: why there are none; empty if there are.
        prompt_tokens: as the endpoint counts them; 0 if it does not.
        completion_tokens: the same for its reply.
    """

    question_id: str
    first_arm: str
    second_arm: str
    order: str
    prompt_sha256: str
    model: str
    verdict: str | None = None
    reply: str = ""
    refused: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def key(self) -> Key:
        """What makes two judgements the same."""
        return self.question_id, self.first_arm, self.second_arm, self.order, self.prompt_sha256, self.model

    @property
    def preferred(self) -> int | None:
        """1 if the first arm is preferred, -1 if the second, 0 for a tie; None if the reply could not be read.

        >>> Judgement("q1", "jmlr", "rag", "swapped", "", "m", verdict="A").preferred
        -1
        """
        place = {"A": 1, "B": -1, "TIE": 0}
        if self.verdict is None:
            return None
        return place[self.verdict] if self.order == "given" else -place[self.verdict]


class JudgementLog:
    """The judgements of a file; used in a with statement, by one process at a time and any number of its threads."""

    def __init__(self, path: Path) -> None:
        self.path, self.judgements = path, dict[Key, Judgement]()
        self._writing, self._open = threading.Lock(), ExitStack()

    def __enter__(self) -> JudgementLog:
        """Opens the file, reads it, and removes a last line that a killed run left unfinished.

        Raises:
            JmlrError: if another process writes it.
            DataError: naming the line that is no judgement.
        """
        with ExitStack() as held:
            held.enter_context(alone(self.path.with_name(f".{self.path.name}.lock"), "judges into it"))
            for number, line in enumerate(read_lines(self.path), start=1):
                judgement = self._read(line, number)
                self.judgements.setdefault(judgement.key, judgement)
            self._file = held.enter_context(self.path.open("ab"))
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def append(self, judgement: Judgement) -> None:
        """Adds one judgement; it outlives a kill of this process once this returns."""
        line = json.dumps(asdict(judgement), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._writing:
            self._file.write(line)
            self._file.flush()
            self.judgements[judgement.key] = judgement

    def _read(self, line: bytes, number: int) -> Judgement:
        where = f"{self.path}, line {number}"
        try:
            judgement = Judgement(**json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            names = ", ".join(field.name for field in fields(Judgement))
            raise DataError(
                "no judgement", expected=f"an object of {names}", where=where, next_step="take this line out"
            ) from error
        if judgement.verdict not in ("A", "B", "TIE", None) or judgement.order not in ("given", "swapped"):
            found = f"verdict {judgement.verdict!r}, order {judgement.order!r}"
            raise DataError(found, expected="A, B, TIE or null; given or swapped", where=where)
        return judgement
