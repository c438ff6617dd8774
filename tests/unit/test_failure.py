from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from jmlr import failure
from jmlr.errors import DataError, MissingResource, ValidationFailed
from jmlr.files import write_text


def note_of(error: Exception, place: Path, monkeypatch: pytest.MonkeyPatch) -> failure.Failure | None:
    monkeypatch.setenv(failure.VARIABLE, str(place))
    with pytest.raises(type(error), match=re.escape(str(error).splitlines()[0])), failure.noted():
        raise error
    return failure.read(place)


def test_an_error_of_the_user_is_noted_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValidationFailed("3 rows break it", next_step="look at the report")
    found = note_of(error, tmp_path / "failure.json", monkeypatch)
    assert found == failure.Failure("ValidationFailed", True, False, str(error))


def test_another_error_is_noted_as_none_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = note_of(ConnectionResetError(errno.ECONNRESET, "gone"), tmp_path / "failure.json", monkeypatch)
    assert found is not None
    assert (found.error, found.of_user, found.may_pass) == ("ConnectionResetError", False, True)


def test_without_the_variable_and_where_nothing_can_be_written_the_error_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(failure.VARIABLE, raising=False)
    with pytest.raises(DataError, match="broken"), failure.noted():
        raise DataError("broken")
    write_text(tmp_path / "file", "")
    assert note_of(DataError("broken"), tmp_path / "file" / "failure.json", monkeypatch) is None


def test_a_note_that_is_not_whole_is_none(tmp_path: Path) -> None:
    (tmp_path / "failure.json").write_text('{"error": "DataErr')
    assert failure.read(tmp_path / "failure.json") is None


def test_what_may_pass_is_found_below_the_errors_of_the_user() -> None:
    full = MissingResource("no space left")
    full.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    gone = MissingResource("MLflow does not answer")
    gone.__cause__ = RuntimeError("max retries")
    gone.__cause__.__context__ = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    missing = DataError("cannot be read")
    missing.__cause__ = FileNotFoundError(errno.ENOENT, "no such file")
    assert [failure.may_pass(error) for error in (full, gone, missing, ValueError("x"))] == [True, True, False, False]
