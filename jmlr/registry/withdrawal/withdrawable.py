"""What `jmlr withdraw` may name: a passage, a document or a source of the known tables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from jmlr.data.tables import batches_of
from jmlr.data.withdrawal import KINDS, Entry
from jmlr.errors import DataError

_COLUMNS = ["passage_id", "document_id", "source", "start"]
_NEAR = 3
_PIECE = re.compile(r"#\d+$")


class Withdrawable:
    """The passages of several tables, and what was withdrawn before.

    Args:
        tables: passages.parquet of this checkout and of registered versions; a missing one is skipped.
        log: of what was withdrawn; a table may no longer have it.
    """

    def __init__(self, tables: Iterable[Path], log: Iterable[Entry] = ()) -> None:
        self._covered: dict[str, dict[str, set[str]]] = {kind: {} for kind in KINDS}
        for kind, name in (entry.names for entry in log):
            self._covered[kind].setdefault(name, set())
        pieces: dict[str, set[str]] = {}
        self._cut: set[str] = set()
        for table in dict.fromkeys(path for path in tables if path.exists()):
            for batch in batches_of(table, _COLUMNS):
                for row in zip(*(batch[name].to_pylist() for name in _COLUMNS), strict=True):
                    self._add(row, pieces)
        for whole in self._cut:
            self._covered["passage_id"][whole] = pieces[whole]

    def _add(self, row: tuple[str, str, str, int], pieces: dict[str, set[str]]) -> None:
        passage_id, document_id, source, start = row
        names = dict(zip(KINDS, (passage_id, document_id, source), strict=True))
        for kind, name in names.items():
            if name:
                self._covered[kind].setdefault(name, set()).add(passage_id)
        if (whole := _PIECE.sub("", passage_id)) != passage_id:
            pieces.setdefault(whole, set()).add(passage_id)
            if start > 0:  # an id of the data may end so, too, but then it is a text from its beginning
                self._cut.add(whole)

    def find(self, what: str, kind: str = "") -> tuple[str, str]:
        """Kind and name of what `what` means; a piece of a cut passage means the whole passage.

        The settings decide how a passage is cut and so which number a piece has: withdrawn by that number, the text
        would come back under another.

        Args:
            what: an id of a passage or document, or a source's name.
            kind: one of KINDS; empty: whichever knows it.

        Raises:
            DataError: if nothing has this name (similar names are told), or several things have it.
        """
        if kind in ("", "passage_id") and _PIECE.sub("", what) in self._cut:
            what = _PIECE.sub("", what)
        found = [one for one in KINDS if kind in ("", one) and what in self._covered[one]]
        if not found:
            raise self._unknown(what, kind)
        covered = [self._covered[one][what] for one in found]
        if any(one != covered[0] for one in covered):
            raise DataError(
                f"{what!r} is the name of a {' and of a '.join(one.removesuffix('_id') for one in found)}",
                expected="one of them",
                next_step="add --kind passage, --kind document or --kind source",
            )
        return found[0], what

    def _unknown(self, what: str, kind: str) -> DataError:
        names = {name for one in KINDS if kind in ("", one) for name in self._covered[one]}
        near = difflib.get_close_matches(what, sorted(names), n=_NEAR, cutoff=0.5)
        return DataError(
            f"no {kind.removesuffix('_id') or 'passage, document or source'} is called {what!r}",
            expected=f"perhaps {', '.join(near)}" if near else "a name of build/ingest or of a registered version",
            next_step="jmlr data sample and jmlr data stats show some",
        )
