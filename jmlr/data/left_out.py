"""Leaves out what was withdrawn: passages, and training questions whose every gold passage was withdrawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jmlr.data.merged import Merged
from jmlr.data.withdrawal import Entry, Withdrawn
from jmlr.types import Question, Rejected

RATIONALE = "rationale:"
"""Prefix of the id of a passage that is a question's explanation; the question's id follows."""

_BLOCK_ROWS = 100_000


class LeftOut:
    """Collects in `rows`, bool (N,), which of all N passages are left out; first those that the log names.

    Withdrawing a passage or document also withdraws passages whose whole text is the same. A correction that differs
    in a single word stays, with all its pieces. Withdrawing a source takes no other passage: another source may say
    the same.

    Args:
        merged: all passages.
        withdrawn: the entries in force.
    """

    def __init__(self, merged: Merged, withdrawn: Withdrawn) -> None:
        self._merged, self._withdrawn = merged, withdrawn
        self._numbers = {entry.names: number for number, entry in enumerate(withdrawn.entries)}
        self._found: set[int] = set()
        self._entry = np.full(len(merged), -1)
        if withdrawn.entries:
            self._entry = merged.marked(["passage_id", "document_id", "source"], self._mark)
        self.rows = self._entry >= 0
        self._is_whole = np.ones(len(merged), bool)
        self._questions: list[Question] = []
        self._ungrounded = 0

    def take_copies(self, repeated: np.ndarray) -> None:
        """Also leaves out passages that say the same; `repeated`, bool (N,): rows that came before."""
        self._is_whole = ~repeated
        if self.rows.any():
            is_source = np.array([entry.source is not None for entry in self._withdrawn.entries])
            takes_others = self.rows & ~is_source[self._entry]
            sayings = self._merged.column("row_saying")
            self.rows |= np.isin(sayings, sayings[takes_others])

    def take_questions(self, before: Sequence[Question], now: Sequence[Question]) -> list[Question]:
        """The questions of `now` without those of split train that lost every gold passage, and their rationales.

        Such a question is not taught: its answer rests on what was withdrawn. In other splits it stays, without gold,
        so that answers before and after a withdrawal are to the same questions.

        Args:
            before: all questions with the gold passages of their source.
            now: the same with the gold passages that remain.
        """
        if not self.rows.any():
            return list(now)
        lost = {new.question_id for old, new in zip(before, now, strict=True) if old.gold_passage_ids and not new.gold_passage_ids}
        self._questions = [one for one in now if one.question_id in lost and one.split == "train"]
        self._ungrounded = len(lost) - len(self._questions)
        gone = {one.question_id for one in self._questions}
        for pieces in self._merged.chunks_of(f"{RATIONALE}{name}" for name in gone).values():
            self.rows[[row for row, _ in pieces]] = True
        return [one for one in now if one.question_id not in gone]

    def rejected(self) -> Iterator[Rejected]:
        """The passages and questions left out, with the reason; repeated ids are reported elsewhere."""
        held = np.flatnonzero(self.rows & self._is_whole)
        for start in range(0, len(held), _BLOCK_ROWS):
            block = held[start : start + _BLOCK_ROWS]
            for row, passage_id in self._merged.ids(block).items():
                reason, detail = self._why(row)
                yield Rejected(self._merged.origin(row), passage_id, reason, detail)
        for question in self._questions:
            yield Rejected(question.source, question.question_id, "all its gold passages are withdrawn")

    def counts(self) -> dict[str, Any]:
        """For counts.json: how much is left out; empty if nothing is withdrawn."""
        entries = self._withdrawn.entries
        if not entries:
            return {}
        idle = [str(entry) for number, entry in enumerate(entries) if number not in self._found]
        return {
            "withdrawn": {
                "entries": len(entries),
                "passages": int((self.rows & self._is_whole).sum()),
                "training_questions": len(self._questions),
                "questions_without_gold": self._ungrounded,
                "entries_without_passage": idle,
            }
        }

    def _mark(self, *names: str) -> int:
        numbers = [self._numbers[entry.names] for entry in self._withdrawn.entries_of(*names)]
        self._found.update(numbers)
        return numbers[0] if numbers else -1

    def _why(self, row: int) -> tuple[str, str]:
        if self._entry[row] >= 0:
            entry: Entry = self._withdrawn.entries[self._entry[row]]
            return "withdrawn", f"{entry}: {entry.reason}"
        return "says the same as a withdrawn passage, or rests on one", ""
