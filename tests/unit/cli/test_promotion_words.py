from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from jmlr.cli import app
from jmlr.cli.table import MODULES
from jmlr.commands.registry.promote import Asked
from jmlr.errors import GateFailed, JmlrError, WaitingForApproval

Call = Callable[..., tuple[int, tuple[object, ...]]]
PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `jmlr ARGUMENTS` with the stage of the first word stood in for; gives exit status and what it was given."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PARAMS, tmp_path)

    def run(*arguments: str, error: JmlrError | None = None) -> tuple[int, tuple[object, ...]]:
        given: list[tuple[object, ...]] = []

        def stage(_: object, *words: object) -> None:
            given.append(words)
            if error is not None:
                raise error

        module = ModuleType(MODULES[arguments[0]])
        module.run = stage  # type: ignore[attr-defined]
        if arguments[0] == "promote":
            module.Asked = Asked  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, MODULES[arguments[0]], module)
        monkeypatch.setattr(sys, "argv", ["jmlr", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        return int(ended.value.code or 0), given[0]

    return run


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["promote"], (Asked(),)),
        (["promote", "--version", "3", "--dry-run"], (Asked(3, dry_run=True),)),
        (["promote", "--approve"], (Asked(approve=True),)),
        (["rollback"], (None, "")),
        (["rollback", "--to", "2", "--reason", "wrong doses"], (2, "wrong doses")),
        (["audit", "--json"], (True,)),
        (["runs", "-n", "5"], (5,)),
        (["show"], ("@champion",)),
        (["restore", "3", "back"], ("3", Path("back"))),
        (["restore", "@champion"], ("@champion", None)),
    ],
)
def test_commands_hand_on_what_they_are_asked(call: Call, words: list[str], given: tuple[object, ...]) -> None:
    assert call(*words) == (0, given)


@pytest.mark.parametrize(
    ("error", "status"),
    [(GateFailed("size"), 3), (WaitingForApproval("ask"), 4), (JmlrError("other"), 2)],
)
def test_a_refusal_and_a_request_have_exit_statuses_of_their_own(call: Call, error: JmlrError, status: int) -> None:
    assert call("promote", error=error)[0] == status
