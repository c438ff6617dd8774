"""Which rows say the same as an earlier one, found over numbers that stand for rows, so that tables may be large."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from jmlr.data.shingles import BANDS, likeness

_PAIRS_AT_ONCE = 200_000


def repeated_ids(ids: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Rows whose id an earlier row has, and the first two rows, if any, that share an id and differ.

    Args:
        ids: a number for each row's id, uint64 (N,).
        contents: a number for all that the row says, uint64 (N,).

    Returns:
        bool (N,), and an earlier and a later row, or None.

    >>> repeated, clash = repeated_ids(np.array([7, 8, 7]), np.array([1, 1, 1]))
    >>> repeated.tolist(), clash
    ([False, False, True], None)
    """
    order = np.argsort(ids, kind="stable")
    same = np.zeros(len(ids), bool)
    same[1:] = ids[order][1:] == ids[order][:-1]
    repeated = np.zeros(len(ids), bool)
    repeated[order[same]] = True
    places = np.flatnonzero(same)
    differing = places[contents[order[places]] != contents[order[places - 1]]]
    if not len(differing):
        return repeated, None
    later = differing[np.argmin(order[differing])]
    return repeated, (int(order[later - 1]), int(order[later]))


def kept_copies(
    band: Callable[[int], np.ndarray], signature: Callable[[np.ndarray], np.ndarray], dropped: np.ndarray, least: float
) -> np.ndarray:
    """For each row the row that stands for it: itself, or an earlier one that is nearly the same.

    Two rows are the same whose signatures' likeness is `least` or more; of those that meet in a band each is compared
    with the first and with the one before it.

    Args:
        band: the numbers of one band for all rows, uint64 (N,).
        signature: the signatures of rows, uint8 (n, PERMUTATIONS), given their numbers.
        dropped: bool (N,), rows that take no part.
        least: 0 to 1.

    Returns:
        int64 (N,), each entry at most its own place.
    """
    kept = np.arange(len(dropped))
    coded = np.empty(0, np.int64)
    for number in range(BANDS):  # one band after another: most pairs meet in all of them
        coded = np.union1d(coded, _pairs(band(number), dropped))
    pairs = np.stack([coded // len(dropped), coded % len(dropped)], axis=1) if len(coded) else coded.reshape(0, 2)
    alike = np.concatenate([np.empty((0, 2), np.int64), *_alike(pairs, signature, least)])
    for earlier, later in alike[np.lexsort((alike[:, 0], alike[:, 1]))].tolist():
        if kept[later] == later and kept[earlier] == earlier:
            kept[later] = earlier
    return kept


def _pairs(values: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """Pairs of rows of equal value as earlier * N + later, int64: each with their first and with the one before it."""
    rows = np.flatnonzero(~dropped)
    order = rows[np.argsort(values[rows], kind="stable")]
    same = np.flatnonzero(values[order[1:]] == values[order[:-1]]) + 1
    opens = np.ones(len(order), bool)
    opens[same] = False
    first = np.maximum.accumulate(np.where(opens, np.arange(len(order)), 0))
    partners = np.concatenate([order[first[same]], order[same - 1]])
    return partners * len(dropped) + np.tile(order[same], 2)


def _alike(pairs: np.ndarray, signature: Callable[[np.ndarray], np.ndarray], least: float) -> Iterator[np.ndarray]:
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = pairs[start : start + _PAIRS_AT_ONCE]
        rows, places = np.unique(part, return_inverse=True)
        found = signature(rows)[places.reshape(part.shape)]
        yield part[likeness(found[:, 0], found[:, 1]) >= least]
