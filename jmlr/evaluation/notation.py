"""How arms, splits and numbers are written in terminal, Markdown, plots and report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from jmlr.settings.training import ARMS

ARM_LABELS = {
    "untrained": "Reader as it comes",
    "closed_book": "Closed book",
    "rag": "RAG (frozen retriever)",
    "jmlr": "JMLR (joint training)",
    "untrained_gold": "Reader as it comes + gold passage",
    "rag_gold": "RAG reader + gold passage",
    "jmlr_gold": "JMLR reader + gold passage",
    "jmlr_bm25": "JMLR reader + BM25's passages",
    "jmlr_shuffled": "JMLR reader + another question's passages",
}
"""The known arms, in the order in which they are always listed."""

PLAIN_ARMS = ("untrained", *ARMS)
"""The arms that read what is retrieved for them; `untrained` alone never trained (`jmlr evaluate --reader`)."""

SPLIT_LABELS = {
    "dev": "development questions",
    "test": "held-out test questions",
    "test_seen": "new questions on subjects of training",
}

RANKING_LABELS = {
    "before": "before",
    "after": "after",
    "bm25": "BM25",
    "hybrid_before": "before + BM25",
    "hybrid": "hybrid",
}
"""The rankings in listing order: the retriever before and after joint training, BM25, and both fused."""

GOLD_SUFFIX = "_gold"
"""An arm with this suffix is a reader that was given the gold passage instead of retrieved ones."""


def ordered_arms(arms: Iterable[str]) -> list[str]:
    """The arms in listing order: known ones first, then others by name.

    >>> ordered_arms(["jmlr", "abstain", "closed_book"])
    ['closed_book', 'jmlr', 'abstain']
    """
    known = list(ARM_LABELS)
    return sorted(arms, key=lambda arm: (known.index(arm) if arm in ARM_LABELS else len(known), arm))


def _label(labels: Mapping[str, str], name: str) -> str:
    """The name for people; an unknown one keeps its own.

    >>> arm_label("closed_book"), ranking_label("bm25"), split_label("test"), arm_label("abstain")
    ('Closed book', 'BM25', 'held-out test questions', 'abstain')
    """
    return labels.get(name, name)


arm_label, ranking_label, split_label = (
    partial(_label, labels) for labels in (ARM_LABELS, RANKING_LABELS, SPLIT_LABELS)
)


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage with one decimal.

    >>> percent(0.9233)
    '92.3 %'
    """
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """A difference of shares as signed percentage points with one decimal.

    >>> points(0.54), points(-0.02), points(0.0)
    ('+54.0', '-2.0', '+0.0')
    """
    return f"{100 * difference + 0.0:+.1f}"


def interval(found: Mapping[str, float]) -> str:
    """A share with its interval, all in percent.

    >>> interval({"value": 0.892, "low": 0.851, "high": 0.928})
    '89.2 (85.1 to 92.8)'
    """
    return f"{100 * found['value']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def points_interval(found: Mapping[str, float]) -> str:
    """A difference of shares with its interval, in signed percentage points.

    >>> points_interval({"value": 0.05, "low": -0.01, "high": 0.11})
    '+5.0 (-1.0 to +11.0)'
    """
    return f"{points(found['value'])} ({points(found['low'])} to {points(found['high'])})"


def p_value(probability: float) -> str:
    """A p-value with its sign of relation, never a bare zero.

    >>> p_value(0.0341), p_value(1e-9)
    ('= 0.034', '< 0.001')
    """
    return "< 0.001" if probability < 0.001 else f"= {probability:.3f}"


def success_at_1(found: Mapping[str, float]) -> float | None:
    """Success@1 of a measured ranking; None where it has none. Files from before recall was measured call it recall.

    >>> success_at_1({"success_at_1": 0.5, "recall_at_1": 0.4}), success_at_1({"recall_at_1": 0.5}), success_at_1({})
    (0.5, 0.5, None)
    """
    return found.get("success_at_1", found.get("recall_at_1"))


def measure_label(name: str) -> str:
    """The name of a retrieval measure as the field writes it.

    >>> measure_label("success_at_5"), measure_label("ndcg_at_10"), measure_label("mrr"), measure_label("without_gold")
    ('success@5', 'nDCG@10', 'MRR', 'without gold')
    """
    return name.replace("_at_", "@").replace("ndcg", "nDCG").replace("mrr", "MRR").replace("_", " ")


def measure_value(name: str, value: float) -> str:
    """A retrieval measure: success and recall in percent, MRR and nDCG with three decimals, counts as they are.

    >>> measure_value("recall_at_1", 0.5), measure_value("mrr", 0.5), measure_value("questions", 150)
    ('50.0 %', '0.500', '150')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return percent(value) if name.startswith(("success", "recall")) else f"{value:.3f}"


def quantity(value: object) -> str:
    """A number with thousands separators or four significant digits; anything else as it is.

    >>> quantity(30123456), quantity(0.00004), quantity(151.2345), quantity("cpu"), quantity(True)
    ('30,123,456', '4e-05', '151.2', 'cpu', 'True')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
