"""Files are whole or not there."""

from __future__ import annotations

import json

import pytest

from jmlr.files import write_json, write_text


def test_what_was_there_stays_when_writing_fails(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        write_text(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_values_that_json_has_no_words_for_leave_the_file_alone(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"b": 1, "a": 2})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, object())
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 1, "a": 2}


def test_text_keeps_its_line_ends_and_letters(tmp_path):
    write_text(tmp_path / "new" / "rejects.csv", "a\r\nµ\n")
    assert (tmp_path / "new" / "rejects.csv").read_bytes() == "a\r\nµ\n".encode()
