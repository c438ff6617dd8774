from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from jmlr.errors import DataError
from jmlr.evaluation.rationales.chat_judge.agreement import cohen_kappa, summarise_judgements
from jmlr.evaluation.rationales.chat_judge.log import Judgement
from jmlr.evaluation.rationales.chat_judge.pairs import ORDERS
from jmlr.settings import Settings

PAIRS = (("good", "bad"), ("bad", "good"), ("bad", "bad"), ("good", "bad"))
Response = tuple[int, dict[str, str], bytes]


def _pair(number: int, given: str | None, swapped: str | None) -> list[Judgement]:
    verdicts = zip(ORDERS, (given, swapped), strict=True)
    return [Judgement(f"q{number}", "jmlr", "rag", order, "", "m", verdict=found) for order, found in verdicts]


def test_an_honest_judge_is_consistent(server: Any, tmp_path: Path, settings: Settings) -> None:
    judged = server.judged(tmp_path / "judged.jsonl", *PAIRS)
    assert [(found.question_id, found.order) for found in judged[:3]] == [
        ("q0", "given"),
        ("q0", "swapped"),
        ("q1", "given"),
    ]
    assert [found.verdict for found in judged] == ["A", "B", "B", "A", "TIE", "TIE", "A", "B"]
    assert {request.path for request in server.requests} == {"/v1/chat/completions"}
    found = summarise_judgements(settings.evaluate, judged)
    assert (found["pairs"], found["wins"], found["losses"], found["ties"]) == (4, 2, 1, 1)
    assert (found["win_rate"]["value"], found["win_rate"]["questions"]) == (0.625, 4)
    assert found["win_rate"]["low"] < 0.625 < found["win_rate"]["high"]
    assert (found["agreement"], found["cohen_kappa"], found["first_place_share"]) == (1, 1, 0.5)
    assert (found["position_inconsistent"], found["unreadable_replies"]) == (0, 0)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (80, 16)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_judge_who_always_says_a_decides_nothing(server: Any, tmp_path: Path, settings: Settings) -> None:
    server.play = lambda _: server.completion("VERDICT: A")
    found = summarise_judgements(settings.evaluate, server.judged(tmp_path / "judged.jsonl", *PAIRS))
    assert (found["wins"], found["losses"], found["ties"], found["position_inconsistent"]) == (0, 0, 0, 4)
    assert (found["win_rate"]["value"], found["agreement"], found["first_place_share"]) == (0.5, 0, 1)
    assert found["cohen_kappa"] == 0  # the orders always differ, and by chance could do no other


def test_unreadable_replies_are_counted_and_their_pairs_left_out(
    server: Any, tmp_path: Path, settings: Settings
) -> None:
    def play(request: Any) -> Response:
        if "mumble" in request.prompt and request.explanation("A") == "mumble":
            return server.completion("I cannot say.")
        return server.by_quality(request)

    server.play = play
    found = summarise_judgements(
        settings.evaluate, server.judged(tmp_path / "j.jsonl", ("good", "bad"), ("mumble", "good"))
    )
    assert (found["pairs"], found["unreadable_pairs"], found["unreadable_replies"]) == (2, 1, 1)
    assert (found["wins"], found["win_rate"]["questions"]) == (1, 1)


def test_nothing_readable_gives_no_figures(server: Any, tmp_path: Path, settings: Settings) -> None:
    server.play = lambda _: server.completion(None)
    found = summarise_judgements(settings.evaluate, server.judged(tmp_path / "judged.jsonl", ("a", "b")))
    assert (found["unreadable_pairs"], found["refused_replies"]) == (1, 2)
    assert [found[name] for name in ("win_rate", "agreement", "cohen_kappa", "first_place_share")] == [None] * 4


def test_a_tie_against_a_win_is_an_inconsistent_tie(settings: Settings) -> None:
    found = summarise_judgements(settings.evaluate, [*_pair(0, "A", "TIE"), *_pair(1, "A", "B")])
    assert (found["wins"], found["ties"], found["position_inconsistent"]) == (1, 0, 1)
    assert (found["win_rate"]["value"], found["agreement"], found["first_place_share"]) == (0.75, 0.5, 0.666667)


@pytest.mark.parametrize(
    "pairs",
    [
        [(1, 1), (1, -1), (-1, -1), (0, -1), (0, 0), (1, 1)],
        [(1, -1), (-1, 1), (1, -1)],
        [(0, 0), (0, 1), (1, 1), (-1, 0), (-1, -1), (0, -1), (1, 0)],
    ],
)
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    given, swapped = zip(*pairs, strict=True)
    assert cohen_kappa(pairs) == pytest.approx(cohen_kappa_score(given, swapped), abs=1e-12)


def test_kappa_by_hand_and_where_it_is_not_defined() -> None:
    # 4 of 6 agree; marginals 3, 1, 2 and 2, 3, 1 of first, second, neither: by chance (6 + 3 + 2) / 36
    pairs = [(1, 1), (1, 1), (1, -1), (-1, -1), (0, -1), (0, 0)]
    assert cohen_kappa(pairs) == pytest.approx((24 / 36 - 11 / 36) / (25 / 36))
    assert (cohen_kappa([(1, 1), (1, 1)]), cohen_kappa([])) == (None, None)


def test_judgements_that_do_not_belong_together_are_refused(settings: Settings) -> None:
    pair = _pair(0, "A", "B")
    for judgements, message in (
        ([], r"no judgements"),
        (pair[:1], r"question q0: the order given alone; expected both"),
        ([*pair, pair[0]], r"question q0: two judgements of the order given"),
        ([*pair, replace(pair[0], first_arm="closed_book")], r"judgements of closed_book and rag, jmlr and rag"),
    ):
        with pytest.raises(DataError, match=message):
            summarise_judgements(settings.evaluate, judgements)
