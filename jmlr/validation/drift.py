"""How far the data have drifted from the data accepted last, one row per feature of the profile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from jmlr.errors import DataError
from jmlr.validation.profile import FEATURES, FORMAT, SOURCES


@dataclass(frozen=True)
class Drift:
    """One feature's drift.

    Attributes:
        feature: its name in the profile.
        accepted: how many values the accepted profile counts.
        current: how many this one counts.
        distance: Jensen-Shannon distance of the two distributions, 0 (the same) to 1 (nothing in common).
        bound: the largest distance that is expected.
        new_sources: sources that the accepted data did not have.
        vanished_sources: sources that only the accepted data had.
    """

    feature: str
    accepted: int
    current: int
    distance: float
    bound: float
    new_sources: str = ""
    vanished_sources: str = ""


@dataclass(frozen=True)
class Comparison:
    """The drift of all features; empty, with the reason in `note`, if there is nothing to compare with."""

    note: str
    rows: tuple[Drift, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The comparison for report.json."""
        return {"note": self.note, "features": [asdict(row) for row in self.rows]}

    def frame(self) -> pd.DataFrame:
        """One row a feature, for the expectation."""
        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Drift.__dataclass_fields__))


def distance(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """Jensen-Shannon distance in base 2 of two counts over the union of their categories, 0 to 1.

    >>> distance({"a": 1, "b": 1}, {"a": 2, "b": 2}), distance({"a": 3}, {"b": 5})
    (0.0, 1.0)
    """
    if not first or not second:
        return float(bool(first) != bool(second))
    categories = sorted(set(first) | set(second))
    p, q = (np.array([counts.get(name, 0) for name in categories], dtype=float) for counts in (first, second))
    # Of two distributions that are the same but for rounding, scipy may take the root of a number just below 0.
    return round(float(np.nan_to_num(jensenshannon(p, q, base=2))), 6)


def compare(accepted: Mapping[str, Any] | None, current: Mapping[str, Any], bound: float) -> Comparison:
    """The drift of each feature.

    Args:
        accepted: the profile accepted last; None if there is none.
        current: that of the data now.
        bound: `validate.max_drift`, 0 to 1.
    """
    if accepted is None:
        return Comparison("no data were accepted yet, so drift was not measured; `jmlr data accept` accepts these")
    if accepted["recipe"] != current["recipe"]:
        return Comparison(
            f"the data accepted last are of recipe {accepted['recipe']}, these are of {current['recipe']}, so drift "
            "was not measured; `jmlr data accept` accepts these"
        )
    rows = []
    for feature in FEATURES:
        before, now = accepted["features"][feature], current["features"][feature]
        sources = feature in SOURCES
        rows.append(
            Drift(
                feature,
                accepted=sum(before.values()),
                current=sum(now.values()),
                distance=distance(before, now),
                bound=bound,
                new_sources=", ".join(sorted(set(now) - set(before))) if sources else "",
                vanished_sources=", ".join(sorted(set(before) - set(now))) if sources else "",
            )
        )
    return Comparison(f"compared with the data of recipe {accepted['recipe']} that were accepted last", tuple(rows))


def read_profile(path: Path) -> dict[str, Any] | None:
    """The profile in a file; None if the file does not exist.

    Raises:
        DataError: if the file is no profile of this version.
    """
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        whole = found["format"] == FORMAT and isinstance(found["recipe"], str)
        whole = whole and all(_is_counts(found["features"][feature]) for feature in FEATURES)
    except (ValueError, KeyError, TypeError) as error:
        raise _no_profile(path, f"{type(error).__name__}: {error}") from error
    if not whole:
        raise _no_profile(path, "another format")
    return found


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(type(count) is int and count >= 0 for count in value.values())


def _no_profile(path: Path, found: str) -> DataError:
    return DataError(
        f"not a profile of data ({found})",
        expected=f"the keys format ({FORMAT}), recipe and features, with {', '.join(FEATURES)}",
        where=str(path),
        next_step=f"take {path} back from git, or delete it; then `dvc repro validate` and `jmlr data accept`",
    )
