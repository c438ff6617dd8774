"""What a person mistypes, and what is away or cannot be written: exit status 2 and one message, never a traceback."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.schemas.objects import State

from flows import named_states, pipeline, run_lock
from flows.command import run_and_exit
from flows.ending import ending_plainly
from flows.temporary_server import shared_server
from jmlr.errors import DataError, MissingResource


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("pipeline", ["--help me"], "unrecognized arguments"),
        ("retrain", ["anyway"], "unrecognized arguments: anyway"),
        ("refresh", ["--versoin", "2"], "unrecognized arguments"),
        ("promote", ["--version", "-1"], "'-1' is no number above 0"),
        ("promote", ["--version", "1.5"], "'1.5' is no whole number"),
        ("withdraw", ["p1"], "the following arguments are required: --reason"),
        ("sharded_ingest", ["--workers", "0"], "'0' is no number above 0"),
        ("sharded_ingest", ["--address", "tcp://a:1"], "expected --runner dask or ray"),
        ("deploy", ["--every", "nan"], "'nan' is no number above 0"),
        ("servers", ["restart"], "invalid choice: 'restart'"),
    ],
)
def test_words_that_are_none_end_before_anything_is_started(
    module: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"flows.{module}").main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("error", [DataError("no rows"), PermissionError(13, "Permission denied", "build/run.lock")])
def test_an_error_that_a_person_can_act_on_is_one_message(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"), ending_plainly():
        raise error
    told = capsys.readouterr().err
    assert str(error) in told
    assert told.startswith("error: ")
    with pytest.raises(ZeroDivisionError, match="ours"), ending_plainly():  # it keeps its traceback
        raise ZeroDivisionError("ours")


def test_a_server_that_is_away_is_told_before_the_flow_begins(
    free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    @flow
    def never() -> State:
        raise AssertionError

    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port}/api"}), pytest.raises(SystemExit):
        run_and_exit(never)
    assert "Prefect's server does not answer" in capsys.readouterr().err


def test_a_history_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "file"))
    with pytest.raises(MissingResource, match="temporary server does not start"), shared_server():
        pass


def test_a_folder_that_cannot_be_written_is_the_state_of_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").write_text("no folder")
    state = pipeline.pipeline.fn(tmp_path)
    assert (state.name, state.is_failed()) == ("FileExistsError", True)
    assert named_states.exit_status(state) == 2
    assert run_lock.held() == ()
