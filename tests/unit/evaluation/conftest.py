"""Made-up but realistic inputs of the evaluation room: 5 arms, two splits, half a dozen sibling passages a subject."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from jmlr.answering.answered import Answered
from jmlr.settings import EvaluateSettings, Settings
from jmlr.settings.params import parse
from jmlr.types import Hit, Passage, Question

CONFIG = Path(__file__).parents[3] / "conf" / "config.yaml"
SKILL = {"closed_book": 0.30, "rag": 0.42, "jmlr": 0.88, "rag_gold": 0.90, "jmlr_gold": 0.93}
CONDITIONS = ("Gout", "Pericarditis", "Achalasia", "Sarcoidosis", "Psoriasis", "Glaucoma")
ASPECTS = {
    "confirmatory test": ("Joint aspiration", "Echocardiography", "Oesophageal manometry", "Tissue biopsy"),
    "first-line treatment": ("Naproxen", "Colchicine", "Prednisolone", "Topical timolol"),
    "complication": ("Tophi", "Cardiac tamponade", "Aspiration pneumonia", "Optic nerve damage"),
}


@dataclasses.dataclass(frozen=True)
class MadeUp:
    """What an evaluation starts from."""

    settings: Settings
    questions: list[Question]
    passages: dict[str, Passage]
    answered: dict[str, list[Answered]]
    rankings: dict[str, dict[str, list[str]]]
    history: list[dict[str, Any]]
    ledger: dict[str, Any]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The shipped defaults, with one source."""
    raw = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    raw.pop("defaults")
    source = {"path": "questions.jsonl", "format": "jsonl", "licence": "Apache-2.0"}
    return parse(raw | {"recipe": "starter", "ingest": raw["ingest"] | {"sources": [source]}})


@pytest.fixture
def evaluate(settings: Settings) -> EvaluateSettings:
    return settings.evaluate


def _questions(count: int) -> list[Question]:
    questions = []
    for number in range(count):
        condition, (aspect, options) = CONDITIONS[number % 6], list(ASPECTS.items())[number % 3]
        text = (
            f"A {30 + number % 50}-year-old comes with a sudden, burning pain that woke them at night and a swollen, "
            f"red, shiny toe. Two weeks ago they began a water tablet. What is the {aspect}?"
        )
        questions.append(
            Question(
                f"q{number:03d}", text, options, number % 4, "test" if number % 3 else "test_seen", "starter", aspect,
                condition, (f"{condition.lower()}-{aspect.split()[0]}",),
            )
        )  # fmt: skip
    return questions


def _passages() -> dict[str, Passage]:
    return {
        f"{condition.lower()}-{aspect.split()[0]}": Passage(
            f"{condition.lower()}-{aspect.split()[0]}",
            f"{condition}, {aspect}: {options[0]} is usual in {condition.lower()}, where {options[1].lower()} is not. "
            "It is done early, before the swelling goes down, and repeated if symptoms return within a month.",
            condition, "starter", condition.lower(), aspect, "Apache-2.0",
        )
        for condition in CONDITIONS
        for aspect, options in ASPECTS.items()
    }  # fmt: skip


def _answer(question: Question, arm: str, ranking: list[str], draw: np.random.Generator) -> Answered:
    scores = draw.normal(-2.4, 0.5, size=len(question.options))
    if draw.random() < SKILL[arm]:
        scores[question.answer_index] = scores.max() + draw.exponential(1.2)
    weights = [math.exp(score) for score in scores]
    shares = tuple(weight / sum(weights) for weight in weights)
    hits, read = (), ()
    if arm.endswith("_gold"):
        read = question.gold_passage_ids
    elif arm != "closed_book":
        hits = tuple(Hit(name, 41.5 - 1.3 * rank) for rank, name in enumerate(ranking))
        read = tuple(ranking[:2])
    return Answered(question.question_id, tuple(scores.tolist()), shares, hits, read)


def _history() -> list[dict[str, Any]]:
    draw, rows = np.random.default_rng(3), []
    for arm, floor in (("closed_book", 2.1), ("rag", 1.8), ("jmlr", 0.6)):
        for step in range(1, 121):
            values = {"reader_loss": floor + 2 * math.exp(-step / 30) + draw.normal(0, 0.08)}
            if arm == "jmlr":
                values["retriever_loss"] = 0.25 + 0.5 * math.exp(-step / 40) + draw.normal(0, 0.03)
                values["retriever_gradient_norm"] = 1.5 + draw.exponential(0.4)
                values["retriever_weight_change"] = 0.02 * math.sqrt(step)
            rows += [{"arm": arm, "step": step, "name": name, "value": value} for name, value in values.items()]
    return rows


def _ledger() -> dict[str, Any]:
    reader = {"trainable": 671_232, "frozen": 0, "learning_rate": 3e-4}
    retriever = {"trainable": 30_123_904, "frozen": 0, "learning_rate": 4e-5}
    frozen = {"trainable": 0, "frozen": 30_123_904, "learning_rate": 0.0}
    return {
        "closed_book": {"reader": reader, "seconds": 41.2, "device_hours": 0.0114},
        "rag": {"reader": reader, "retriever": frozen, "seconds": 88.7, "device_hours": 0.0246},
        "jmlr": {"reader": reader, "retriever": retriever, "seconds": 161.0, "device_hours": 0.0447},
        "device": "cpu",
    }


@pytest.fixture(scope="session")
def make(settings: Settings) -> Callable[[int], MadeUp]:
    """Makes inputs with the given number of questions, two thirds of them in the split test."""

    def made(count: int) -> MadeUp:
        draw, questions, passages = np.random.default_rng(7), _questions(count), _passages()
        rankings: dict[str, dict[str, list[str]]] = {"before": {}, "after": {}}
        for question in questions:
            for name, share in (("before", 0.15), ("after", 0.8)):
                ranking = [str(passage) for passage in draw.permutation(list(passages))]
                if draw.random() < share:
                    ranking.remove(question.gold_passage_ids[0])
                    ranking.insert(0, question.gold_passage_ids[0])
                rankings[name][question.question_id] = ranking
        answered = {
            arm: [
                _answer(q, arm, rankings["after" if arm == "jmlr" else "before"][q.question_id], draw)
                for q in questions
            ]
            for arm in SKILL
        }
        return MadeUp(settings, questions, passages, answered, rankings, _history(), _ledger())

    return made
