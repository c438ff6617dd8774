from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from jmlr.errors import RegistryError
from jmlr.registry import lock
from jmlr.registry.lock import alone, beside_store
from jmlr.registry.promotion.audit import Audit, Change, champions, waiting_for
from jmlr.registry.promotion.champion import CHAMPION, Judged, Registry
from jmlr.registry.promotion.gates import Gate

PROMOTER = Path(__file__).with_name("promoter.py")
ROOT = Path(__file__).parents[4]
PASSED = Gate("accuracy", True, 0.02, -0.05, "+2.0 points")
FAILED = Gate("size", False, 3.0, 2.0, "gigabytes of its files")


@pytest.fixture
def make_registry(tracked: MlflowClient, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Registry]:
    """A registered model of the test's own with three versions of nothing."""

    def make(versions: int = 3) -> Registry:
        model = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
        tracked.create_registered_model(model)
        for _ in range(versions):
            tracked.create_model_version(model, source=str(tmp_path))
        return Registry(tracked, model)

    return make


@pytest.fixture
def registry(make_registry: Callable[..., Registry]) -> Registry:
    return make_registry()


def promote(
    registry: Registry, before: int | None, after: int, gate: Gate = PASSED, needs_approval: bool = False
) -> str:
    return registry.promote(Judged(before, after, (gate,)), needs_approval)[0]


def actions(registry: Registry) -> list[tuple[str, int | None, int | None]]:
    return [(entry["action"], entry["from"], entry["to"]) for entry in registry.audit.entries()]


def test_a_challenger_that_passes_is_champion_and_the_audit_says_who_when_and_why(registry: Registry) -> None:
    assert promote(registry, None, 1) == "promoted"
    assert registry.champion() == 1
    announced, done = registry.audit.entries()
    assert (announced["action"], done["action"]) == ("promoting", "promoted")
    assert announced["gates"] == [PASSED.as_json()]
    assert "@" in done["who"]
    assert done["when"].endswith("+00:00")
    lines = registry.audit.file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [announced, done]


def test_a_failed_gate_keeps_the_champion_and_is_written_down(registry: Registry) -> None:
    promote(registry, None, 1)
    assert promote(registry, 1, 2, FAILED) == "kept"
    assert registry.champion() == 1
    assert registry.audit.entries()[-1]["gates"][0]["name"] == "size"
    assert actions(registry)[-1] == ("kept", 1, 2)


def test_a_champion_that_moved_since_the_comparison_leaves_the_challenger_unjudged(registry: Registry) -> None:
    promote(registry, None, 1)
    outcome, judged = registry.promote(Judged(None, 2, (PASSED,)), needs_approval=False)
    assert outcome == "not judged"
    assert judged.gates[-1].name == "champion_unchanged"
    assert judged.gates[-1].detail == "version 1 became champion meanwhile; this one was compared with none"
    assert registry.champion() == 1


def test_what_may_pass_another_time_is_no_verdict_and_leaves_a_request_as_it_was(registry: Registry) -> None:
    busy = Gate("latency", False, 1.2, 1.0, "seconds", may_pass=True)
    assert promote(registry, None, 1, needs_approval=True) == "waiting"
    assert promote(registry, None, 1, busy) == "not judged"
    assert actions(registry) == [("waiting", None, 1)]
    registry.require_request(1)
    assert registry.promote(Judged(None, 1, (busy, FAILED)), needs_approval=False)[0] == "kept"


def test_a_promotion_waits_for_a_person_only_if_asked_for(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="version 1: no promotion of it waits for approval"):
        registry.require_request(1)
    assert promote(registry, None, 1, needs_approval=True) == "waiting"
    assert registry.champion() is None
    registry.require_request(1)
    assert promote(registry, None, 1) == "promoted"
    with pytest.raises(RegistryError, match="no promotion of it waits"):
        registry.require_request(1)


def test_rollback_goes_back_step_by_step_and_to_any_earlier_champion(registry: Registry) -> None:
    for before, after in ((None, 1), (1, 2), (2, 3)):
        promote(registry, before, after)
    assert registry.roll_back(None, "wrong doses") == (3, 2)
    assert registry.roll_back(None) == (2, 1)
    with pytest.raises(RegistryError, match=r"(?s)champion 1: there was no champion before this one.*jmlr audit"):
        registry.roll_back(None)
    promote(registry, 1, 3)
    assert registry.roll_back(1) == (3, 1)
    assert registry.champion() == 1
    assert actions(registry)[-2:] == [("rolling back", 3, 1), ("rolled back", 3, 1)]
    assert [entry["note"] for entry in registry.audit.entries() if entry["note"]] == ["wrong doses"] * 2


def test_rollback_takes_no_version_that_never_passed_the_gates_and_none_that_is_gone(registry: Registry) -> None:
    promote(registry, None, 1)
    promote(registry, 1, 2)
    with pytest.raises(RegistryError, match=r"(?s)version 3 was never champion before; expected one of 1\."):
        registry.roll_back(3)
    registry.client.delete_model_version(registry.model, "1")
    with pytest.raises(RegistryError, match="version 1: it was deleted"):
        registry.roll_back(None)
    assert registry.champion() == 2


def test_an_alias_moved_in_mlflow_is_written_down_by_the_next_promotion(registry: Registry) -> None:
    promote(registry, None, 1)
    registry.client.set_registered_model_alias(registry.model, CHAMPION, "2")
    assert promote(registry, 2, 3) == "promoted"
    assert actions(registry)[2] == ("moved elsewhere", 1, 2)
    assert champions(registry.audit.entries()) == [1, 2, 3]


def test_a_request_waits_until_it_is_granted_or_refused() -> None:
    waits = {"action": "waiting", "to": 2}
    assert waiting_for([waits], 2)
    assert not waiting_for([waits, {"action": "kept", "to": 2}], 2)
    assert waiting_for([waits, {"action": "promoting", "to": 2}], 2)
    assert waiting_for([waits, {"action": "promoting", "to": 2}, {"action": "abandoned", "to": 2}], 2)
    assert not waiting_for([waits], 3)


def test_changed_and_missing_entries_are_noticed(registry: Registry) -> None:
    for before, after in ((None, 1), (1, 2)):
        promote(registry, before, after)
    client, tag = registry.client, "audit.00002"
    kept = client.get_registered_model(registry.model).tags[tag]
    client.set_registered_model_tag(registry.model, tag, kept.replace('"to": 1', '"to": 3'))
    with pytest.raises(RegistryError, match=r"entry 3 of the audit is missing or was changed"):
        registry.audit.entries()
    client.delete_registered_model_tag(registry.model, tag)
    with pytest.raises(RegistryError, match=r"entry 2 of the audit is missing or was changed"):
        promote(registry, 2, 3)
    assert registry.champion() == 2


def test_a_last_entry_taken_from_the_store_is_noticed_by_the_file(registry: Registry) -> None:
    promote(registry, None, 1)
    registry.client.delete_registered_model_tag(registry.model, "audit.00002")
    with pytest.raises(RegistryError, match=r"holds 2 entries that are not the first of the 1 of the store"):
        promote(registry, 1, 2)


def test_a_file_that_lacks_entries_or_ends_in_half_a_line_is_completed(registry: Registry) -> None:
    promote(registry, None, 1)
    whole = registry.audit.file.read_bytes()
    registry.audit.file.write_bytes(whole[:-20])
    Audit(registry.client, registry.model, registry.audit.file).bring_file_up_to_date()
    assert registry.audit.file.read_bytes() == whole


def test_long_details_are_cut_to_what_old_stores_take(registry: Registry) -> None:
    gates = tuple(Gate(f"gate_{number}", True, 0.1, 0.0, "x" * 9000) for number in range(10))
    registry.audit.append(Change("kept", None, 1, gates, "y" * 9000))
    assert len(registry.client.get_registered_model(registry.model).tags["audit.00001"]) < 5000


def test_the_lock_is_waited_for_and_its_holder_named(registry: Registry) -> None:
    with (
        alone(registry.client, registry.model),
        pytest.raises(RegistryError, match=r"held by process \d+ since .* UTC for 0.2 seconds; expected one promotion"),
        alone(registry.client, registry.model, wait_seconds=0.2),
    ):
        pass


def test_a_store_on_a_server_is_locked_by_a_name_that_only_one_can_take(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, name = registry.client, f"{registry.model}.promotion-lease"
    with lock._lease(client, registry.model, 0.2):
        monkeypatch.setattr(lock.socket, "gethostname", lambda: "elsewhere")
        with (
            pytest.raises(RegistryError, match=rf"(?s)registered model {name}: held by .*delete the registered model"),
            lock._lease(client, registry.model, 0.2),
        ):
            pass
    assert [model.name for model in client.search_registered_models(f"name = '{name}'")] == []


def test_a_lease_that_a_dead_process_of_this_machine_left_is_taken_over_and_that_of_a_living_one_is_not(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lock._leased(registry.client, f"{registry.model}.promotion-lease")
    with pytest.raises(RegistryError, match="held by"), lock._lease(registry.client, registry.model, 0.2):
        pass
    monkeypatch.setattr(lock, "is_running", lambda _: False)
    with lock._lease(registry.client, registry.model, 5.0):
        pass


@pytest.mark.parametrize(
    ("holder", "taken"),
    [
        ({"since": "2020-01-01T00:00:00+00:00"}, True),  # its number is that of a process that began later: ours
        ({"since": "2020-01-01"}, True),
        ({"since": "2999-01-01T00:00:00+00:00"}, False),
        ({"since": "yesterday"}, False),
        ({}, False),
    ],
)
def test_a_lease_whose_process_number_came_back_is_taken_over(
    registry: Registry, holder: dict[str, str], taken: bool
) -> None:
    client, name = registry.client, f"{registry.model}.promotion-lease"
    told = {"host": lock.socket.gethostname(), "process": os.getpid(), **holder}
    client.create_registered_model(name, tags={"holder": json.dumps(told)})
    if taken:
        with lock._lease(client, registry.model, 5.0):
            pass
    else:
        with pytest.raises(RegistryError, match="held by"), lock._lease(client, registry.model, 0.2):
            pass


def test_a_lease_that_nobody_can_read_is_told_and_not_taken(registry: Registry) -> None:
    client, name = registry.client, f"{registry.model}.promotion-lease"
    client.create_registered_model(name, tags={"holder": "half a wri"})
    with pytest.raises(RegistryError, match="held by another machine"), lock._lease(client, registry.model, 0.2):
        pass


@pytest.mark.slow
def test_promoters_in_two_folders_on_a_real_tracking_server_are_one_at_a_time(
    make_registry: Callable[..., Registry], mlflow_store: str, tmp_path: Path
) -> None:
    registry = make_registry()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = ["server", "--backend-store-uri", mlflow_store, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *command], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):
                break
            time.sleep(0.5)
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        promoters = [start(address, registry, 0, version, folder=folders[version - 1]) for version in (1, 2)]
        let_go(promoters)
        assert sorted(finish(promoter) for promoter in promoters) == ["not judged", "promoted"]
        assert len(actions(registry)) == 2
        assert registry.client.search_registered_models(f"name = '{registry.model}.promotion-lease'") == []
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def start(
    store: str, registry: Registry, before: int, after: int, killed_at: str = "", folder: Path | None = None
) -> subprocess.Popen[str]:
    """A promoter that has come as far as the lock, in the working folder unless said."""
    command = [sys.executable, str(PROMOTER), store, registry.model, str(before), str(after), killed_at]
    return subprocess.Popen(
        command,
        cwd=folder or Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def let_go(promoters: Sequence[subprocess.Popen[str]]) -> None:
    """Waits until all are at the lock, then lets them go at once."""
    for promoter in promoters:
        assert promoter.stdout is not None
        assert promoter.stdout.readline() == "ready\n"
    for promoter in promoters:
        assert promoter.stdin is not None
        promoter.stdin.write("go\n")
        promoter.stdin.flush()


def finish(promoter: subprocess.Popen[str]) -> str:
    """What it printed last."""
    printed, _ = promoter.communicate("go\n", timeout=300)
    return printed.strip().rpartition("\n")[2]


def test_of_promoters_at_once_exactly_one_wins_and_the_others_are_not_judged(
    registry: Registry, mlflow_store: str
) -> None:
    promoters = [start(mlflow_store, registry, 0, version) for version in (1, 2)]
    let_go(promoters)
    outcomes = {version: finish(promoter) for version, promoter in zip((1, 2), promoters, strict=True)}
    assert sorted(outcomes.values()) == ["not judged", "promoted"]
    [winner] = [version for version, outcome in outcomes.items() if outcome == "promoted"]
    assert registry.champion() == winner
    assert actions(registry) == [("promoting", None, winner), ("promoted", None, winner)]


@pytest.mark.parametrize(
    ("killed_at", "champion", "settled"),
    [
        ("before the alias moves", 1, ("abandoned", 1, 2)),
        ("after the alias moved", 2, ("promoted", 1, 2)),
        ("between store and file", 2, ("promoted", 1, 2)),
    ],
)
def test_a_killed_promoter_leaves_a_champion_and_the_next_one_completes_the_audit(
    registry: Registry, mlflow_store: str, killed_at: str, champion: int, settled: tuple[str, int, int]
) -> None:
    promote(registry, None, 1)
    killed = start(mlflow_store, registry, 1, 2, killed_at)
    assert finish(killed) == "ready"
    assert killed.returncode == -9
    assert registry.champion() == champion
    assert promote(registry, champion, 3) == "promoted"
    told = actions(registry)
    assert told[2:4] == [("promoting", 1, 2), settled]
    assert told[4:] == [("promoting", champion, 3), ("promoted", champion, 3)]
    assert registry.audit.written() == registry.audit.entries()
    assert beside_store(mlflow_store, f"{registry.model}.lock").exists()
