"""The claim card: what the paper claims, what was run here at which scale, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jmlr.evaluation.groups.public_sets import paper_table
from jmlr.evaluation.notation import PLAIN_ARMS, arm_label, ordered_arms, percent, points_interval, success_at_1
from jmlr.files import write_text
from jmlr.settings import Settings

CLAIM_CARD_FILE = "claim_card.md"
_NOT_RUN = "not run here"


def write(folder: Path, settings: Settings, metrics: Mapping[str, Any], provenance: Mapping[str, str]) -> None:
    """Writes claim_card.md into `folder`: Markdown, the claims of arXiv 2402.17887 beside this run's results."""
    split = next(iter(metrics))
    measured = metrics[split]
    lines = [
        "# Claim card",
        "",
        "Claims of JMLR (Wang, Yang, Yao, Yu, arXiv 2402.17887) beside what this run measured. Not for clinical use.",
        "",
        *_scale(settings, measured, split, provenance),
        "",
        *_table(["claim of the paper", "this run", "result"], claims(measured)),
        "",
        "## On the paper's question sets",
        "",
        "The paper's figures are its own; no model of its size was trained here unless the recipe above says so.",
        "",
        *_table(*_on_sets(measured)),
        "",
        "## Deviations from the paper",
        "",
        *(f"- {line}" for line in deviations(settings)),
        "",
    ]
    write_text(folder / CLAIM_CARD_FILE, "\n".join(lines))


def claims(measured: Mapping[str, Any]) -> list[list[str]]:
    """Rows of claim, what was run, and its result with interval."""
    accuracy, difference = measured["accuracy"], measured["difference"]
    return (
        [
            [
                "Joint training beats a reader with a retriever trained apart (13B: 70.5 % against 67.7 %, mean)",
                "jmlr against rag, same base models, steps and questions",
                _difference(difference.get("jmlr_minus_rag")),
            ],
            [
                "Retrieval helps: the reader with passages beats the closed book",
                "jmlr against closed_book",
                _difference(difference.get("jmlr_minus_closed_book")),
            ],
            [
                "It is the right passages that help, not any text",
                "jmlr's reader with its passages against those of another question",
                _difference(difference.get("jmlr_minus_jmlr_shuffled")),
            ],
            [
                "The trained retriever finds what the reader needs",
                "success@1 (a gold passage first) before and after",
                _success(measured["retrieval"]),
            ],
            [
                "148 GPU hours against 42,630 of Meditron-70B",
                "device hours of this run are above; no model of that size was trained",
                _NOT_RUN,
            ],
            ["Doctors and GPT-4 prefer JMLR's rationales (60 %, 63 %)", _NOT_RUN, _NOT_RUN],
            ["JMLR-13B beats Meditron-70B", _NOT_RUN, _NOT_RUN],
        ]
        if accuracy
        else []
    )


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


def _scale(settings: Settings, measured: Mapping[str, Any], split: str, provenance: Mapping[str, str]) -> list[str]:
    hours = provenance.get("training_device_hours", "?")
    return [
        f"- Recipe `{settings.recipe}`, seed {settings.seed}, {settings.train.steps} steps, {hours} device hours",
        f"- {measured['questions']} questions of the split `{split}`; guessing gives {percent(measured['chance'])}",
        f"- Retriever {settings.base.retriever.source}, reader {settings.base.reader.source}",
        f"- Protocol `{provenance.get('protocol_hash', '?')[:12]}`, commit `{provenance.get('git_commit', '?')[:12]}`",
    ]


def _on_sets(measured: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    shown = {arm: arm_label(arm) for arm in ordered_arms(measured["accuracy"]) if arm in PLAIN_ARMS}
    return paper_table(measured.get("by_set", {}), shown)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]


def _difference(found: Mapping[str, float] | None) -> str:
    if not found:
        return _NOT_RUN
    bounds = points_interval(found).replace(" (", " points (")
    return f"{bounds}, helped {found['helped']}, hurt {found['hurt']}"


def _success(retrieval: Mapping[str, Mapping[str, float]]) -> str:
    before, after = (success_at_1(retrieval.get(name, {})) for name in ("before", "after"))
    if before is None or after is None:
        return _NOT_RUN
    return f"{percent(before)} -> {percent(after)}"
