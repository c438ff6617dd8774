"""Measures the rationales that arms wrote in the evaluation, and has a chat model judge two arms' side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr.answering.generation import rationale_in
from jmlr.console import CONSOLE
from jmlr.data.tables import read_made, read_passages, read_questions, write_rows
from jmlr.errors import ConfigError, MissingResource
from jmlr.evaluation.rationales.concept_names import load_extractor
from jmlr.evaluation.rationales.rationale import SCHEMA, Rationale, score_rationales, summarise_rationales, table_rows
from jmlr.evaluation.rationales.token_similarity import BertScore
from jmlr.files import reading, write_json
from jmlr.models.encoder import fetch
from jmlr.settings import Settings
from jmlr.stages import layout

_MEASURES = ("umls_f", "rouge_1", "rouge_l", "bertscore", "hallucinated_rate")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        arms: whose rationales are measured; of two the judge compares the first with the second.
        concepts: kind of the finder of concepts, see `load_extractor`.
        place: its folder, file or model.
        judge: MODEL@URL or MODEL@URL@KEY_VARIABLE; empty: nobody judges.
    """

    arms: tuple[str, ...]
    concepts: str
    place: str
    judge: str = ""


def run(settings: Settings, asked: Asked) -> None:
    """Writes build/rationales: metrics.json, rationales.parquet, and the judge's log, from which a killed run goes on.

    Raises:
        MissingResource: if nothing is evaluated, no rationale was written, or the judge's endpoint fails.
        ConfigError: if the kind of concepts is unknown, or not two arms are to be judged.
        DataError: if a file is broken.
    """
    if asked.judge and len(asked.arms) != 2:
        raise ConfigError(f"{len(asked.arms)} arm(s)", expected="2 to be judged against each other", where="--arm")
    judge = _judge(asked.judge) if asked.judge else None
    written = {arm: _rationales(arm, settings.prompt.answer) for arm in asked.arms}
    titles = [passage.title for passage in read_passages(layout.PASSAGES)]
    extractor = load_extractor(asked.concepts, asked.place, titles)
    similarity = BertScore(fetch(settings.base.retriever))
    scores = {arm: score_rationales(found, extractor, similarity) for arm, found in written.items()}
    made_by = {"concepts": extractor.describe(), "similarity": similarity.describe()}
    metrics = summarise_rationales(settings.evaluate, scores, made_by)
    rows = [row for arm, found in written.items() for row in table_rows(arm, found, scores[arm])]
    write_rows(layout.RATIONALES / "rationales.parquet", rows, SCHEMA)
    if judge:
        metrics["judged"] = judge(settings.evaluate, written, layout.RATIONALES / "judgements.jsonl")
    write_json(layout.RATIONALES / "metrics.json", metrics)
    _show(asked.arms, metrics)


def _rationales(arm: str, form: str) -> list[Rationale]:
    """What an arm wrote for every question that it was asked to answer in words, without the letter before it."""
    if not layout.PREDICTIONS.exists():
        raise MissingResource(
            "missing", expected="the answers of an evaluation", where=str(layout.PREDICTIONS), next_step="dvc repro"
        )
    questions = {question.question_id: question for question in read_questions(layout.QUESTIONS)}
    passages = {passage.passage_id: passage for passage in read_passages(layout.PASSAGES)}
    rows = read_made(layout.PREDICTIONS, "dvc repro evaluate", filters=[("arm", "=", arm)]).to_pylist()
    found = [row for row in rows if row.get("said") is not None]
    if not found:
        raise MissingResource(
            f"the arm {arm} wrote nothing",
            expected="an arm that answered in words",
            where=str(layout.PREDICTIONS),
            next_step="dvc exp run -S evaluate.strict_text=true -S evaluate.rationale_tokens=128",
        )
    with reading(layout.PREDICTIONS, "dvc repro evaluate"):  # it may be of other questions
        return [
            Rationale(
                questions[row["question_id"]],
                rationale_in(row["said"], form),
                tuple(passages[one] for one in row["read_passage_ids"]),
            )
            for row in found
        ]


def _judge(named: str) -> Callable[..., dict[str, Any]]:
    """The judge of that name; the chat judge is imported here alone, so that its folder can be cut off."""
    from jmlr.evaluation.rationales.chat_judge.agreement import judge_arms
    from jmlr.evaluation.rationales.chat_judge.endpoint import Endpoint

    return partial(judge_arms, Endpoint.named(named))


def _show(arms: Sequence[str], metrics: dict[str, Any]) -> None:
    title = "Rationales, means with intervals, 0 to 1"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("measure", no_wrap=True)
    for arm in arms:
        table.add_column(arm, justify="right", no_wrap=True)
        table.add_column("n", justify="right")
    for measure in _MEASURES:
        found = [metrics["arms"][arm].get(measure) for arm in arms]
        cells = [cell for one in found for cell in ((_interval(one), str(one["questions"])) if one else ("-", ""))]
        table.add_row(measure, *cells)
    CONSOLE.print(table)
    if judged := metrics.get("judged"):
        wins, agree = judged["win_rate"], judged["agreement"]
        rate = f"{_interval(wins)}, n {wins['questions']}" if wins else "-"
        CONSOLE.print(f"{judged['model']} judges {arms[0]} against {arms[1]}: win rate {rate}, orders agree {agree}")
    CONSOLE.print(f"-> {layout.RATIONALES}")


def _interval(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
