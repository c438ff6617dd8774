"""The claim card: what the paper claims, what was run here at which scale, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from jmlr.evaluation.groups.public_sets import paper_table
from jmlr.evaluation.notation import PLAIN_ARMS, arm_label, ordered_arms, percent, points_interval, success_at_1
from jmlr.files import write_text
from jmlr.settings import Settings

CLAIM_CARD_FILE = "claim_card.md"
_TEMPLATE = Path(__file__).with_name("claim_card.md.j2")
_NOT_RUN = "not run here"


def write(folder: Path, settings: Settings, metrics: Mapping[str, Any], provenance: Mapping[str, str]) -> None:
    """Writes claim_card.md into `folder`: Markdown, the claims of arXiv 2402.17887 beside this run's results."""
    split, measured = next(iter(metrics.items()))
    shown = {arm: arm_label(arm) for arm in ordered_arms(measured["accuracy"]) if arm in PLAIN_ARMS}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters |= {"percent": percent, "gain": _gain, "success": _success}
    card = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        settings=settings,
        measured=measured,
        split=split,
        provenance=provenance,
        sets=paper_table(measured.get("by_set", {}), shown),
        deviations=deviations(settings),
    )
    write_text(folder / CLAIM_CARD_FILE, card)


def deviations(settings: Settings) -> list[str]:
    """How the settings depart from the paper's, in sentences."""
    objective = settings.train.objective
    sampled, read = settings.train.sampling.passages, settings.train.read_passages
    found = []
    if settings.base.reader.source == "starter":
        found.append("The reader is a small Llama pre-trained here, not Llama 2 of 7 or 13 billion parameters.")
    if settings.base.retriever.source == "minilm":
        found.append("The retriever starts from MiniLM with a new projection, not from a trained ColBERT.")
    if (objective.name, objective.scores, objective.pair_weight) != ("llm_rank", "minmax", "uniform"):
        found.append(
            f"The retriever's loss is {objective.name} on {objective.scores} scores with pair weight "
            f"{objective.pair_weight}; the paper's is llm_rank on minmax scores, all pairs alike."
        )
    if sampled != 10:
        found.append(f"{sampled} passages are sampled for a question; the released code samples 10.")
    if read != 7:
        found.append(f"The reader reads {read} passages; the paper's 7.")
    if settings.prompt.answer != "letter_rationale":
        found.append(
            f"The reader is taught the answer as `{settings.prompt.answer}`; the paper's, letter and rationale."
        )
    found.append("Answers are read by option likelihood, not from sampled text (docs/evaluation.md).")
    return found


def _gain(found: Mapping[str, float] | None) -> str:
    if not found:
        return _NOT_RUN
    bounds = points_interval(found).replace(" (", " points (")
    return f"{bounds}, helped {found['helped']}, hurt {found['hurt']}"


def _success(retrieval: Mapping[str, Mapping[str, float]]) -> str:
    before, after = (success_at_1(retrieval.get(name, {})) for name in ("before", "after"))
    if before is None or after is None:
        return _NOT_RUN
    return f"{percent(before)} -> {percent(after)}"
