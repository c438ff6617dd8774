"""What the exit status and the file of `jmlr promote` become, as the contract between the two says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import promote, retrain
from flows.named_states import exit_status
from flows.retrain import was_judged
from jmlr.errors import RegistryError
from jmlr.registry.version.lookup import Version

GATE = {"name": "accuracy", "passed": True, "figure": 0.7, "bound": 0.6, "detail": ""}
BROKEN = {"name": "size", "passed": False, "figure": 9.0, "bound": None, "detail": "bytes"}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands for the command and for Prefect's artifacts: gives the next call its status and its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(promote, "publish_gates", lambda judgement: None)

    def prepare(status: int, **judgement: Any) -> None:
        def run(name: str, arguments: Any, accepted: Any) -> int:
            assert name == "promote"
            assert status in accepted
            if judgement:
                promote.GATES.parent.mkdir(parents=True, exist_ok=True)
                promote.GATES.write_text(json.dumps({"model": "jmlr", "from": 1, "to": 2, **judgement}))
            return status

        monkeypatch.setattr(promote, "run_command", run)

    return prepare


@pytest.mark.parametrize(
    ("status", "outcome", "gates", "name", "words", "ends_with"),
    [
        (0, "promoted", [GATE], "Promoted", "jmlr version 2, champion before: 1", 0),
        (3, "kept", [GATE, BROKEN], "GatesFailed", "gates failed: size (9.0)", 3),
        (4, "waiting", [GATE], "WaitingForApproval", "jmlr promote --approve", 4),
        (0, "dry_run", [GATE], "DryRunPassed", "jmlr version 2", 0),
        (3, "dry_run", [BROKEN], "GatesFailed", "gates failed: size", 3),
        (0, "kept", [], "NothingNew", "nothing changes", 0),
        (3, "not judged", [BROKEN], "NotJudged", "gates failed: size (9.0); the next run judges it again", 3),
    ],
)
def test_every_outcome_has_its_state(
    command: Any, status: int, outcome: str, gates: list[Any], name: str, words: str, ends_with: int
) -> None:
    command(status, outcome=outcome, gates=gates)
    state = promote.judge()
    assert (state.name, exit_status(state)) == (name, ends_with)
    assert words in str(state.message)


def test_an_old_file_is_not_taken_for_this_calls(command: Any) -> None:
    command(0, outcome="promoted", gates=[GATE])
    promote.judge()
    command(0)
    with pytest.raises(RegistryError, match=r"gates\.json: missing; expected what `jmlr promote` found"):
        promote.judge()


def test_what_failed_for_the_moment_is_tried_again_before_the_run_ends(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        command(*((3, "not judged") if len(waited) < 3 else (0, "promoted")))

    def outcome(status: int, what: str) -> None:
        prepare(status, outcome=what, gates=[GATE])

    prepare, command = command, outcome
    monkeypatch.setattr(promote, "flows_settings", lambda: SimpleNamespace(retries=5, retry_delay_seconds=30))
    monkeypatch.setattr(promote.time, "sleep", wait)
    outcome(3, "not judged")
    assert promote.judge().name == "Promoted"
    assert waited == [30, 60, 120]


def test_a_version_that_was_rolled_back_is_not_promoted_without_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"action": "promoted", "from": 1, "to": 2},
        {"action": "rolled back", "from": 2, "to": 1, "who": "ann", "when": "2026-11-25T10:00:00"},
    ]
    registry = SimpleNamespace(audit=SimpleNamespace(entries=lambda: entries))
    monkeypatch.setattr(retrain, "connect", lambda: None)
    monkeypatch.setattr(retrain, "Registry", lambda client, name: registry)
    monkeypatch.setattr(retrain, "judge", lambda words: pytest.fail("judged"))
    state = retrain._judge("jmlr", Version(2, "", {}), Version(1, "", {}))
    assert (state.name, state.message) == (
        "NothingNew",
        "version 2 was rolled back by ann, 2026-11-25; `jmlr promote --version 2` judges it again",
    )


@pytest.mark.parametrize(
    ("outcome", "number", "champion", "judged"),
    [
        ("kept", 2, 1, True),
        ("waiting", 2, 1, True),
        ("dry_run", 2, 1, False),
        ("kept", 3, 1, False),
        ("dry_run", 3, 3, True),
        ("promoted", 2, None, True),
        ("not judged", 2, 1, False),
        ("kept", 2, 4, False),
        ("promoted", 2, 4, True),
    ],
)
def test_a_version_is_judged_once(command: Any, outcome: str, number: int, champion: int | None, judged: bool) -> None:
    command(0, outcome=outcome, gates=[GATE])
    promote.judge()
    best = None if champion is None else Version(champion, "", {})
    assert was_judged(Version(number, "", {}), best) == judged
