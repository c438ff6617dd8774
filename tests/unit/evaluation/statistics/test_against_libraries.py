"""Our measures against those of libraries that others trust: ir-measures, scikit-learn and statsmodels."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, Success, nDCG
from measuring import measure_retrieval
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from jmlr.evaluation.statistics.accuracy import mcnemar, share_interval
from jmlr.evaluation.statistics.calibration import (
    Graded,
    bin_edges,
    calibration_error,
    fit_temperature,
    reliability,
    summarise_confidence,
)
from jmlr.evaluation.statistics.gaps import holm, share_gap
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

CUTOFFS = (1, 5, 10, 30)


def _graded(seed: int, questions: int = 300, options: int = 4) -> Graded:
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(questions, options)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = np.array([draw.choice(options, p=row) for row in shares])
    return Graded(logits * 1.7, answers, logits.argmax(axis=1) == answers)


@pytest.mark.parametrize("seed", range(5))
def test_retrieval_agrees_with_ir_measures(seed: int) -> None:
    draw = np.random.default_rng(seed)
    questions, rankings = [], {}
    for number in range(40):
        gold = tuple(f"p{name}" for name in draw.choice(60, size=1 + number % 4, replace=False))
        questions.append(Question(f"q{number}", "?", ("a", "b"), 0, "test", gold_passage_ids=gold))
        rankings[f"q{number}"] = [f"p{name}" for name in draw.permutation(60)[:30]]
    judged = {question.question_id: dict.fromkeys(question.gold_passage_ids, 1) for question in questions}
    run = {name: {passage: float(-rank) for rank, passage in enumerate(ranking)} for name, ranking in rankings.items()}
    measures = [RR, nDCG @ 10, *(measure @ k for measure in (Success, R) for k in CUTOFFS)]
    theirs = ir_measures.calc_aggregate(measures, judged, run)
    ours = measure_retrieval(questions, rankings, CUTOFFS)
    for k in CUTOFFS:
        assert ours[f"success_at_{k}"] == pytest.approx(theirs[Success @ k])
        assert ours[f"recall_at_{k}"] == pytest.approx(theirs[R @ k])
    assert ours["mrr"] == pytest.approx(theirs[RR])
    assert ours["ndcg_at_10"] == pytest.approx(theirs[nDCG @ 10])


@pytest.mark.parametrize("equal_mass", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_reliability_and_error_agree_with_scikit_learn(seed: int, equal_mass: bool) -> None:
    graded = _graded(seed)
    confidences, edges = graded.confidences(), bin_edges(graded.confidences(), 10, equal_mass)
    records = reliability(confidences, graded.right, edges)
    strategy = "quantile" if equal_mass else "uniform"
    accuracy, confidence = calibration_curve(graded.right, confidences, n_bins=10, strategy=strategy)
    assert [record["accuracy"] for record in records] == pytest.approx(accuracy)
    assert [record["confidence"] for record in records] == pytest.approx(confidence)
    counts = np.array([record["count"] for record in records])
    expected = (np.abs(accuracy - confidence) * counts).sum() / counts.sum()
    assert calibration_error(confidences, graded.right, edges) == pytest.approx(expected)


def test_brier_and_loss_agree_with_scikit_learn(evaluate: EvaluateSettings) -> None:
    graded = _graded(seed=4)
    summary = summarise_confidence(graded, 2.0, evaluate)
    assert summary["brier"]["value"] == pytest.approx(brier_score_loss(graded.right, graded.confidences(2.0)))
    shares = np.exp(graded.log_probabilities(2.0))
    assert summary["answer_loss"]["value"] == pytest.approx(log_loss(graded.answers, shares, labels=range(4)))


@pytest.mark.parametrize("seed", range(3))
def test_temperature_agrees_with_statsmodels(seed: int) -> None:
    # options chosen with probability softmax(b * score) are a conditional logit with one coefficient, b = 1 / T
    graded = _graded(seed)
    questions, options = graded.scores.shape
    chosen = (graded.answers[:, None] == np.arange(options)).astype(int)
    model = ConditionalLogit(chosen.ravel(), graded.scores.reshape(-1, 1), groups=np.repeat(range(questions), options))
    assert 1 / fit_temperature(graded) == pytest.approx(model.fit(disp=False).params[0], rel=1e-4)


@pytest.mark.parametrize(("helped", "hurt"), [(80, 7), (5, 0), (3, 4), (12, 12), (0, 1)])
def test_mcnemar_agrees_with_statsmodels(helped: int, hurt: int) -> None:
    theirs = statsmodels_mcnemar([[30, helped], [hurt, 40]], exact=True).pvalue
    assert mcnemar(helped, hurt) == pytest.approx(theirs)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize(
    ("one", "two"), [((56, 70), (48, 80)), ((9, 10), (3, 10)), ((5, 5), (0, 7)), ((1, 3), (90, 200))]
)
def test_intervals_of_shares_agree_with_statsmodels(one: tuple[int, int], two: tuple[int, int], level: float) -> None:
    first, second = (np.arange(questions) < right for right, questions in (one, two))
    alone = share_interval(first, level)
    assert (alone.low, alone.high) == pytest.approx(proportion_confint(*one, alpha=1 - level, method="wilson"))
    gap = share_gap(first, second, level)
    theirs = confint_proportions_2indep(*one, *two, method="newcomb", compare="diff", alpha=1 - level)
    assert (gap.low, gap.high) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(4))
def test_holm_agrees_with_statsmodels(seed: int) -> None:
    p_values = (np.random.default_rng(seed).random(9) ** 3).tolist()
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
