from __future__ import annotations

import dataclasses

import pytest

from jmlr.errors import ProtocolMismatch
from jmlr.evaluation.protocol import protocol, protocol_hash, require_same
from jmlr.settings import Settings
from jmlr.types import Question

QUESTIONS = [
    Question("q1", "Which test?", ("MRI", "ECG"), 1, "test"),
    Question("q2", "Which drug?", ("A", "B"), 0, "test_seen"),
]


def _with(settings: Settings, block: str, **changes: object) -> Settings:
    return settings.model_copy(update={block: getattr(settings, block).model_copy(update=changes)})


def test_same_protocol_gives_the_same_hash(settings: Settings) -> None:
    assert protocol_hash(settings, QUESTIONS) == protocol_hash(settings, list(QUESTIONS))
    assert len(protocol_hash(settings, QUESTIONS)) == 64


def test_what_is_not_of_the_protocol_does_not_change_the_hash(settings: Settings) -> None:
    train = Question("t", "?", ("a", "b"), 0, "train")
    other = _with(settings.model_copy(update={"seed": 99}), "evaluate", questions_per_batch=1)
    assert protocol_hash(other, [train, *QUESTIONS]) == protocol_hash(settings, QUESTIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"question_id": "q9"},
        {"text": "Which scan?"},
        {"options": ("MRI", "CT")},
        {"answer_index": 0},
        {"split": "test_seen"},
    ],
)
def test_another_question_changes_the_hash(settings: Settings, change: dict[str, object]) -> None:
    changed = [dataclasses.replace(QUESTIONS[0], **change), QUESTIONS[1]]
    assert protocol_hash(settings, changed) != protocol_hash(settings, QUESTIONS)


def test_order_of_questions_prompt_and_splits_change_the_hash(settings: Settings) -> None:
    base = protocol_hash(settings, QUESTIONS)
    assert protocol_hash(settings, QUESTIONS[::-1]) != base
    assert protocol_hash(_with(settings, "prompt", passage_tokens=95), QUESTIONS) != base
    assert protocol_hash(_with(settings, "evaluate", splits=("test",)), QUESTIONS) != base


def test_the_answer_reading_rule_changes_the_hash(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    base = protocol_hash(settings, QUESTIONS)
    monkeypatch.setattr("jmlr.evaluation.protocol.ANSWER_READING_RULE", "first letter written")
    assert protocol_hash(settings, QUESTIONS) != base


def test_the_seed_of_the_evaluation_is_of_the_protocol(settings: Settings) -> None:
    assert protocol_hash(_with(settings, "evaluate", seed=9), QUESTIONS) != protocol_hash(settings, QUESTIONS)


def test_the_same_protocol_may_be_compared(settings: Settings) -> None:
    require_same(protocol(settings, QUESTIONS), protocol(settings, list(QUESTIONS)), ("a", "b"))


def test_another_protocol_is_refused_with_both_shown(settings: Settings) -> None:
    one, other = protocol(settings, QUESTIONS), protocol(_with(settings, "prompt", passage_tokens=95), QUESTIONS[:1])
    with pytest.raises(ProtocolMismatch, match="the same prompt, reading rule and questions") as caught:
        require_same(one, other, ("runs/a", "runs/b"))
    message = str(caught.value)
    assert "runs/a was evaluated under protocol" in message
    assert f"prompt: passage_tokens {settings.prompt.passage_tokens!r} and 95" in message
    assert "item_count: 2 and 1" in message
    assert "layout" not in message
