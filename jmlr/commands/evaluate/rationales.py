"""Measures the rationales that arms wrote in the evaluation, and has a chat model judge two arms' side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from jmlr.answering.generation import rationale_in
from jmlr.console import CONSOLE
from jmlr.data.tables import read_made, read_passages, read_questions, write_rows
from jmlr.errors import ConfigError, MissingResource
from jmlr.evaluation.rationales.chat_judge.agreement import summarise_judgements
from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient, Endpoint
from jmlr.evaluation.rationales.chat_judge.pairs import Comparison, judge
from jmlr.evaluation.rationales.concept_names import load_extractor
from jmlr.evaluation.rationales.rationale import SCHEMA, Rationale, score_rationales, summarise_rationales, table_rows
from jmlr.evaluation.rationales.token_similarity import BertScore
from jmlr.files import reading, write_json
from jmlr.models.encoder import fetch
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.types import Question

_MEASURES = ("umls_f", "rouge_1", "rouge_l", "bertscore", "hallucinated_rate")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        arms: whose rationales are measured; of two the judge compares the first with the second.
        concepts: kind of the finder of concepts, see `load_extractor`.
        place: its folder, file or model.
        endpoint: the judge; None: nobody judges.
    """

    arms: tuple[str, ...]
    concepts: str
    place: str
    endpoint: Endpoint | None = None


def run(settings: Settings, asked: Asked) -> None:
    """Writes build/rationales: metrics.json, rationales.parquet, and the judge's log, from which a killed run goes on.

    Raises:
        MissingResource: if nothing is evaluated, no rationale was written, or the judge's endpoint fails.
        ConfigError: if the kind of concepts is unknown, or not two arms are to be judged.
        DataError: if a file is broken.
    """
    if asked.endpoint and len(asked.arms) != 2:
        raise ConfigError(f"{len(asked.arms)} arm(s)", expected="2 to be judged against each other", where="--arm")
    written = {arm: _rationales(arm, settings.prompt.answer) for arm in asked.arms}
    titles = [passage.title for passage in read_passages(layout.PASSAGES)]
    extractor = load_extractor(asked.concepts, asked.place, titles)
    similarity = BertScore(fetch(settings.base.retriever))
    scores = {arm: score_rationales(found, extractor, similarity) for arm, found in written.items()}
    made_by = {"concepts": extractor.describe(), "similarity": similarity.describe()}
    metrics = summarise_rationales(settings.evaluate, scores, made_by)
    rows = [row for arm, found in written.items() for row in table_rows(arm, found, scores[arm])]
    write_rows(layout.RATIONALES / "rationales.parquet", rows, SCHEMA)
    if asked.endpoint:
        metrics["judged"] = _judge(settings, asked.endpoint, written)
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


def _judge(settings: Settings, endpoint: Endpoint, written: dict[str, list[Rationale]]) -> dict[str, Any]:
    (first, ones), (second, others) = written.items()
    texts: dict[str, tuple[Question, str]] = {one.question.question_id: (one.question, one.text) for one in ones}
    comparisons = [
        Comparison(question, (first, second), (text, other.text))
        for other in others
        if (found := texts.get(other.question.question_id))
        for question, text in [found]
    ]
    with ChatClient(endpoint) as client:
        return summarise_judgements(
            settings.evaluate, judge(comparisons, client, layout.RATIONALES / "judgements.jsonl")
        )


def _show(arms: Sequence[str], metrics: dict[str, Any]) -> None:
    table = Table("measure, 0 to 1", *arms, title="Rationales, means with intervals")
    for measure in _MEASURES:
        table.add_row(measure, *(_cell(metrics["arms"][arm].get(measure)) for arm in arms))
    CONSOLE.print(table)
    if judged := metrics.get("judged"):
        wins, agreement = judged["win_rate"], judged["agreement"]
        CONSOLE.print(
            f"{judged['model']} judges {arms[0]} against {arms[1]}: win rate {_cell(wins)}, orders agree {agreement}"
        )
    CONSOLE.print(f"-> {layout.RATIONALES}")


def _cell(found: dict[str, float] | None) -> str:
    return (
        "-"
        if not found
        else f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f}), n {found['questions']}"
    )


def endpoint_of(named: str) -> Endpoint | None:
    """The judge as the command line names it, MODEL@URL or MODEL@URL@VARIABLE; None for an empty text.

    Raises:
        ConfigError: if it is none of these.

    >>> endpoint_of("llama3@http://127.0.0.1:8000/v1@MY_KEY").key_variable
    'MY_KEY'
    >>> endpoint_of("") is None
    True
    """
    if not named:
        return None
    parts = named.split("@")
    if len(parts) not in (2, 3) or not all(parts):
        raise ConfigError(
            f"'{named}'", expected="MODEL@URL, or MODEL@URL@VARIABLE_OF_THE_KEY", where="--judge",
            next_step="for example --judge llama3@http://127.0.0.1:8000/v1",
        )  # fmt: skip
    return Endpoint(parts[1], parts[0], parts[2] if len(parts) == 3 else "")
