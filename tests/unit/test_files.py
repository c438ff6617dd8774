"""Files are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jmlr import files
from jmlr.errors import JmlrError, MissingResource
from jmlr.files import append_json, read_lines, write_json, write_text


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


def in_a_process_that_dies(work: Callable[[], object]) -> None:
    """Runs `work` in a copy of this process, which must end by `killed`: nothing that it would tidy up is run."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def killed(*_: object) -> None:
    os._exit(9)


def make(folder: Path, content: str) -> None:
    with files.making(folder) as unfinished:
        (unfinished / "note").write_text(content, encoding="utf-8")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_writers_that_meet_publish_whole_files(tmp_path):
    path = tmp_path / "gates.json"
    with files.replacing(path) as first, files.replacing(path) as second:
        first.write_text("first", encoding="utf-8")
        second.write_text("second", encoding="utf-8")
        assert names(tmp_path) == sorted([first.name, second.name])
    assert path.read_text(encoding="utf-8") == "first"
    with files.making(tmp_path / "made") as one, files.making(tmp_path / "made") as other:
        (one / "note").write_text("one", encoding="utf-8")
        (other / "note").write_text("other", encoding="utf-8")
    assert (tmp_path / "made" / "note").read_text(encoding="utf-8") == "one"
    assert names(tmp_path) == ["gates.json", "made"]


def test_what_a_killed_writer_left_goes_away_with_the_next_one(tmp_path):
    path = tmp_path / ("long" * 50 + ".json")
    in_a_process_that_dies(lambda: killed(files.replacing(path).__enter__().write_text("half")))
    assert len(names(tmp_path)) == 1
    write_text(path, "whole")
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("moment", ["_put", "_exchange", "sync", "_settle"])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_folder(tmp_path, monkeypatch, can_exchange, moment):
    place = tmp_path / "entry"
    make(place, "old")
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    with monkeypatch.context() as patched:
        patched.setattr(files, moment, killed)
        in_a_process_that_dies(lambda: make(place, "new"))
    with contextlib.suppress(OSError), files.making(place):
        raise OSError("the next try fails")
    assert (place / "note").read_text(encoding="utf-8") in ("old", "new")
    assert names(tmp_path) == ["entry"]


def test_between_two_renames_the_old_folder_waits_to_come_back(tmp_path, monkeypatch):
    place, rename = tmp_path / "entry", os.rename
    make(place, "old")
    monkeypatch.setattr(files, "_exchange", lambda *_: False)

    def second_one_kills(one: Path, other: Path) -> None:
        rename(one, other)
        if one == place:
            killed()

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", second_one_kills)
        in_a_process_that_dies(lambda: make(place, "new"))
    assert not place.exists()
    with contextlib.suppress(OSError), files.making(place):
        raise OSError("the next try fails")
    assert (place / "note").read_text(encoding="utf-8") == "old"
    make(place, "new")
    assert (place / "note").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["entry"]


def test_a_full_disk_keeps_the_old_and_says_where(tmp_path):
    path = tmp_path / "report.json"
    write_text(path, "old")
    make(tmp_path / "made", "old")
    for writing in (files.replacing(path), files.making(tmp_path / "made")):
        with pytest.raises(MissingResource, match="(?s)no space left.*nothing half-written is left"), writing:
            raise OSError(errno.ENOSPC, "full")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["made", "report.json"]


def test_what_is_published_was_brought_to_the_disk_before(tmp_path, monkeypatch):
    done: list[str] = []
    for name in ("fsync", "rename"):
        plain = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, plain=plain: done.append(name) or plain(*given))
    write_text(tmp_path / "note", "text")
    assert done == ["fsync", "rename", "fsync"]
    done.clear()
    make(tmp_path / "made", "text")
    assert done == ["fsync", "fsync", "rename", "fsync"]


def test_one_process_at_a_time_holds_a_lock_and_a_killed_one_lets_go(tmp_path):
    lock = tmp_path / ".answers.lock"
    in_a_process_that_dies(lambda: killed(files.alone(lock, "answers").__enter__()))
    with files.alone(lock, "answers"):
        with pytest.raises(JmlrError, match="(?s)another process answers; expected one at a time.*wait for it"):
            files.alone(lock, "answers").__enter__()
    assert names(tmp_path) == []


WRITES_BY_ITSELF = {
    "flows/run_lock.py": "locks, and a note of who holds one that people read",
    "jmlr/files.py": "these functions",
    "jmlr/models/colbert.py": "the folder of a checkpoint that is being made",
    "jmlr/models/adapters.py": "a reader's folder: in `making`, or before done.json says that it is whole",
    "jmlr/starter/base_reader.py": "a base reader's folder that is being made",
    "jmlr/stages/base.py": "a base reader's folder that is being made",
    "jmlr/stages/train.py": "before done.json says that it is whole",
    "jmlr/training/engine.py": "a checkpoint, before complete.json says that it is whole",
    "jmlr/training/checkpoint.py": "a checkpoint, before complete.json says that it is whole",
    "jmlr/index/encoding.py": "a generation that is being made",
    "jmlr/validation/data_docs.py": "a report that is being made",
    "jmlr/data/shards.py": "a shard that is being made",
    "jmlr/registry/version/registering.py": "a temporary folder that MLflow copies",
    "jmlr/tracking/note.py": "a temporary folder that MLflow copies",
    "jmlr/tracking/snapshot.py": "a temporary folder that MLflow copies, or a new clone",
}
"""Files that write without `replacing` or `making`, and why nobody finds what they write half-written."""

WRITING = re.compile(
    r"""\.write_text\(|\.write_bytes\(|json\.dump\(|\.to_(parquet|csv|json)\(|open\([^)]*["'][wx]b?\+?["']|np\.save\(|"""
    r"""\bsave_(file|model)\(|\.save_pretrained\(|pq\.write_table\(|ParquetWriter\(|copyfile\("""
)


def test_nothing_is_written_past_these_functions(repository):
    """A line that writes does so to a name that `replacing` or `making` gave, or its file says why it need not."""
    found = set()
    for file in [*(repository / "jmlr").rglob("*.py"), *(repository / "flows").rglob("*.py")]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if WRITING.search(line.split(" # ")[0]) and "unfinished" not in line and ">>>" not in line:
                found.add(file.relative_to(repository).as_posix())
    assert found == set(WRITES_BY_ITSELF)


def test_a_last_line_that_a_kill_left_unfinished_is_no_line(tmp_path):
    file = tmp_path / "deep" / "rows.jsonl"
    assert read_lines(file) == []
    append_json(file, [{"a": 1}, {"a": "ß\u2028"}], is_promised=True)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"a": \xc3')
    assert [json.loads(line) for line in read_lines(file, mend=False)] == [{"a": 1}, {"a": "ß\u2028"}]
    assert file.read_bytes() != whole
    append_json(file, [{"a": 2}] if len(read_lines(file)) == 2 else [])
    assert file.read_bytes() == whole + b'{"a": 2}\n'
    file.write_bytes(b"unfinished")
    assert (read_lines(file), file.read_bytes()) == ([], b"")
