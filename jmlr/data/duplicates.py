"""Finds rows that say the same as an earlier one, by one number per row, so that tables may be large."""

from __future__ import annotations

import numpy as np


def repeated_ids(ids: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Rows whose id an earlier row has, and the first two rows, if any, that share an id but differ.

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


def first_that_says(sayings: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """For each row the first row that says the same, possibly itself.

    Args:
        sayings: a number for what each row says, uint64 (N,).
        apart: bool (N,), rows that neither are copies nor have any.

    Returns:
        int64 (N,), each entry at most its own place.

    >>> first_that_says(np.array([7, 8, 7, 7]), np.array([True, False, False, False])).tolist()
    [0, 1, 2, 2]
    """
    first = np.arange(len(sayings))
    rows = np.flatnonzero(~apart)
    _, earliest, numbers = np.unique(sayings[rows], return_index=True, return_inverse=True)
    first[rows] = rows[earliest][numbers]
    return first
