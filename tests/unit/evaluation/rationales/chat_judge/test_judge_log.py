from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jmlr.errors import DataError, JmlrError, MissingResource
from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient
from jmlr.evaluation.rationales.chat_judge.log import Judgement, JudgementLog
from jmlr.evaluation.rationales.chat_judge.pairs import Comparison, judge

Compare = Callable[..., list[Comparison]]
PAIRS = (("good", "bad"), ("bad", "good"), ("bad", "bad"), ("good", "bad"))
HEAD = {"Content-Type": "application/json"}


def test_half_a_surrogate_pair_can_be_sent_and_kept(server: Any, tmp_path: Path) -> None:
    server.play = lambda _: (200, HEAD, b'{"choices": [{"message": {"content": "\\ud83d\\nVERDICT: A"}}]}')
    log = tmp_path / "judged.jsonl"
    judged = server.judged(log, ("half \ud83d", "bad"))
    assert [found.verdict for found in judged] == ["A", "A"]
    assert server.judged(log, ("half \ud83d", "bad")) == judged


def test_what_is_judged_is_not_asked_again(server: Any, tmp_path: Path) -> None:
    log = tmp_path / "judged.jsonl"
    first = server.judged(log, *PAIRS[:2])
    assert server.judged(log, *PAIRS) == [*first, *server.judged(log, *PAIRS)[4:]]
    assert len(server.requests) == 8
    server.judged(log, *PAIRS[:1], model="judge-2")
    server.judged(log, ("good, changed", "bad"))
    server.judged(log, *PAIRS[:1], parameters={"temperature": 1})
    assert len(server.requests) == 8 + 3 * 2


def test_a_run_that_failed_or_was_killed_goes_on(server: Any, tmp_path: Path, comparisons: Compare) -> None:
    log = tmp_path / "judged.jsonl"
    server.play = lambda request: server.by_quality(request) if request.number < 3 else (500, HEAD, b"")
    with (
        ChatClient(server.endpoint(retries=0)) as client,
        pytest.raises(MissingResource, match=r"status 500 \(empty\)"),
    ):
        judge(comparisons(*PAIRS), client, log, threads=1)
    assert len(log.read_text(encoding="utf-8").splitlines()) == 3
    with log.open("ab") as file:
        file.write(b'{"question_id": "q1", "first_a')  # what a kill in the middle of a write leaves
    server.play, asked = server.by_quality, len(server.requests)
    assert [found.verdict for found in server.judged(log, *PAIRS)] == ["A", "B", "B", "A", "TIE", "TIE", "A", "B"]
    assert len(server.requests) - asked == 5
    assert len([json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]) == 8


def test_the_log_is_one_process_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "judged.jsonl"
    with JudgementLog(log), pytest.raises(JmlrError, match=r"another process judges into it"), JudgementLog(log):
        pass
    with JudgementLog(log):
        pass


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no json", r"judged.jsonl, line 2: no judgement; expected an object of question_id, first_arm"),
        (b"[1]", r"line 2: no judgement"),
        (b'{"verdict": "A"}', r"line 2: no judgement"),
        (b"\xff", r"line 2: no judgement"),
        (b'{"question_id": "q", "first_arm": "a", "second_arm": "b", "order": "given", "prompt_sha256": "",'
         b' "model": "m", "verdict": "C"}', r"line 2: verdict 'C', order 'given'; expected A, B, TIE"),
    ],
)  # fmt: skip
def test_a_broken_line_of_the_log_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    log = tmp_path / "judged.jsonl"
    with JudgementLog(log) as kept:
        kept.append(Judgement("q", "a", "b", "given", "", "m", verdict="A"))
    with log.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(DataError, match=message), JudgementLog(log):
        pass
