"""The blocks of params.yaml on what a pair is worth: evaluate and promote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from jmlr.settings.training import Arm
from jmlr.settings.values import Block, Count, Distinct, NonzeroShare, Positive, Share, Some, setting
from jmlr.types import EvaluatedSplit

Control = Literal["gold", "shuffled", "bm25"]
CONTROLS: Mapping[Control, frozenset[Arm]] = {
    "gold": frozenset({"rag", "jmlr"}),
    "shuffled": frozenset({"jmlr"}),
    "bm25": frozenset({"jmlr"}),
}
"""Readings of other passages, and the arms whose readers read them."""


class EvaluateSettings(Block):
    """All arms on the same questions."""

    seed: int = setting(1, "Seed of intervals and shuffled passages; part of the protocol.", ge=0)
    controls: Annotated[tuple[Control, ...], Distinct] = setting(
        tuple(CONTROLS), "Further readings: gold passages (rag, jmlr), another question's or BM25's (jmlr)."
    )
    option_orders: bool = setting(True, "Read every cyclic order of shown options.")
    strict_text: bool = setting(True, "Also read what the reader writes by itself; unreadable is wrong.")
    evidence: bool = setting(True, "Leave out each read passage in turn and read again.")
    rationale_tokens: int = setting(
        0, "Reader tokens written beyond the answer; needs `evaluate.strict_text`. 0: none.", ge=0
    )
    abstain_for: NonzeroShare = setting(
        0.95, "Accuracy wanted of what is answered; the confidence needed for it is chosen on dev."
    )
    splits: Some[EvaluatedSplit] = setting(
        ("test", "test_seen"), "test: subjects never trained on. test_seen: new questions on trained ones."
    )
    questions_per_batch: Count = setting(16, "Questions answered at once.")
    recall_at: Some[Annotated[int, Field(ge=1, strict=True)]] = setting(
        (1, 5, 10, 30), "k of success@k and recall@k, each at most K."
    )
    bootstrap_samples: int = setting(2000, "Resamples for an interval.", ge=100)
    confidence: float = setting(0.95, "Level of every interval.", gt=0.5, lt=1)


class PromoteSettings(Block):
    """The gates that a version passes before it becomes champion: [operations.md](operations.md)."""

    needs_approval: bool = setting(False, "After all gates a person must run `jmlr promote --approve`.")
    split: EvaluatedSplit = setting("test", "Which of `evaluate.splits` both versions are compared on.")
    allow_prompt_change: bool = setting(False, "Allow another prompt than the champion's, each read with its own.")
    max_accuracy_loss: Share = setting(
        0.05, "How far the lower end of the paired interval, challenger - champion, may lie below 0."
    )
    must_improve: bool = setting(False, "That whole interval must lie above 0.")
    min_net_helped: int = setting(
        1, "Questions that only the challenger answers right, minus those only the champion does."
    )
    max_subgroup_loss: Share = setting(0.1, "Accuracy that a group of patients or questions may lose.")
    latency_questions: Count = setting(10, "Questions answered one by one to measure the median time.")
    max_p50_seconds: Positive | None = setting(5.0, "Longest median answer on this machine. null: no bound.")
    max_size_gigabytes: Positive | None = setting(2.0, "10^9 bytes of models, index and passages. null: no bound.")
