"""Rationales measured within the evaluation, and the seed of their intervals."""

from __future__ import annotations

import pytest

from jmlr.answering.answered import Answered
from jmlr.evaluation.rationales.chat_judge.agreement import summarise_judgements
from jmlr.evaluation.rationales.chat_judge.log import Judgement
from jmlr.evaluation.rationales.rationale import RationaleScores, measure_written, summarise_rationales
from jmlr.evaluation.readings import Readings, Split
from jmlr.settings import Settings
from jmlr.types import Passage, Question

PASSAGES = [Passage("p1", "Crystals of uric acid.", "Gout"), Passage("p2", "A cough.", "Asthma")]
QUESTIONS = [
    Question("q1", "A hot toe?", ("Gout", "Flu"), 0, "test", rationale="It is gout."),
    Question("q2", "A wheeze?", ("Asthma", "Flu"), 0, "test_seen", rationale="It is asthma."),
]


def _splits(settings: Settings, tokens: int, passages: list[Passage] = PASSAGES) -> dict[str, Split]:
    evaluate = settings.evaluate.model_copy(update={"rationale_tokens": tokens})
    answered = [Answered(q.question_id, (-1.0, -2.0), (0.7, 0.3), (), ("p1",)) for q in QUESTIONS]
    said = {"jmlr": {"q1": "It is gout.", "q2": "It is gout."}, "rag": {"q1": "Perhaps.", "q2": "It is asthma."}}
    readings = Readings({"jmlr": answered, "rag": answered}, said=said, passages=passages)
    return {one.split: Split(evaluate, [one], readings, {}) for one in QUESTIONS}


def test_each_split_and_arm_is_measured(settings: Settings) -> None:
    found = {name: measure_written(split) for name, split in _splits(settings, 32).items()}
    assert list(found["test"]["arms"]) == ["rag", "jmlr"]
    shared = {(split, arm): found[split]["arms"][arm]["umls_f"]["value"] for split in found for arm in ("jmlr", "rag")}
    assert shared == {("test", "jmlr"): 1, ("test", "rag"): 0, ("test_seen", "jmlr"): 0, ("test_seen", "rag"): 1}
    assert found["test_seen"]["arms"]["rag"]["hallucinated_rate"]["value"] == 0
    assert found["test"]["made_by"]["concepts"]["names"] == 2


def test_nothing_is_measured_where_no_rationale_was_asked_for_or_no_title_names_a_concept(settings: Settings) -> None:
    assert measure_written(_splits(settings, 0)["test"]) == {}
    assert measure_written(_splits(settings, 32, [Passage("p1", "Crystals.")])["test"]) == {}


def _with_seeds(settings: Settings, training: int, evaluation: int) -> Settings:
    evaluate = settings.evaluate.model_copy(update={"seed": evaluation})
    return settings.model_copy(update={"seed": training, "evaluate": evaluate})


def _scores() -> list[RationaleScores]:
    values = [0.0, 0.1, 0.4, 0.9, 1.0, 0.3, 0.2]
    return [
        RationaleScores(
            f"q{n}", *[value] * 7, hallucinated_rate=None, concepts=(), reference_concepts=(), hallucinated=()
        )
        for n, value in enumerate(values)
    ]


def _judgements() -> list[Judgement]:
    rows = []
    for n in range(9):
        verdicts = ("A", "B") if n % 3 else ("B", "A")
        for order, verdict in zip(("given", "swapped"), verdicts, strict=True):
            rows.append(_judgement(f"q{n}", order, verdict))
    return rows


def _judgement(question_id: str, order: str, verdict: str) -> Judgement:
    return Judgement(question_id, "jmlr", "rag", order, "hash", "judge", verdict)


@pytest.mark.parametrize("summary", ["rationales", "judgements"])
def test_intervals_follow_the_seed_of_the_evaluation_alone(settings: Settings, summary: str) -> None:
    def bounds(training: int, evaluation: int) -> object:
        with_seeds = _with_seeds(settings, training, evaluation).evaluate
        if summary == "judgements":
            return summarise_judgements(with_seeds, _judgements())["win_rate"]
        return summarise_rationales(with_seeds, {"jmlr": _scores()}, {})["arms"]["jmlr"]["umls_f"]

    assert bounds(1, 5) == bounds(2, 5)
    different = len({str(bounds(1, seed)) for seed in range(5, 12)})
    assert different > 1 if summary == "rationales" else different == 1  # a share has Wilson's interval, without seed
