"""Broken files, full disks and killed runs: one clear error or a counted reject, and no table half-written."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import os
import re
import signal
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from jmlr.settings import params
from jmlr.data import raw_files, shards
from jmlr.data.tables import read_passages
from jmlr.errors import DataError, MissingResource
from jmlr.stages import ingest as stage
from jmlr.stages import layout

PASSAGES = b"".join(b'{"passage_id": "p%d", "text": "Gout number %d hurts."}\n' % (n, n) for n in range(3000))
GZIP, ZSTD = gzip.compress(PASSAGES), pa.compress(PASSAGES, codec="zstd", asbytes=True)
ROW = '{"passage_id": "p", "text": "%s"}\n'
GOOD = ROW.replace('"p"', '"good"') % "All is well."
TAR = b"a.jsonl".ljust(257, b"\0") + b"ustar".ljust(255, b"\0")
XML = "<Document source='x'><Focus>%s</Focus><QAPairs/></Document>"
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'

FAULTS = {
    "gzip cut off": ("bad.jsonl.gz", GZIP[:-9], r"bad\.jsonl\.gz: cannot be read .*\n  next: make or copy bad"),
    "gzip cut off early": ("bad.jsonl.gz", GZIP[:700], r"bad\.jsonl\.gz: cannot be read \(Truncated"),
    "zstd cut off": ("bad.jsonl.zst", ZSTD[:-5], r"bad\.jsonl\.zst: cannot be read .*\n  next: make or copy bad"),
    "no gzip": ("bad.jsonl.gz", PASSAGES, r"its first bytes are not those of a \.gz file.* plain text, rename it to bad\.jsonl"),
    "no zstd": ("bad.jsonl.zst", PASSAGES, r"not those of a \.zst file; expected a whole \.zst file.*\n  next: make or copy"),
    "gzip cut off, without its suffix": ("bad.jsonl", GZIP[:-9], r"bad\.jsonl: cannot be read .*\n  next: make or copy bad"),
    "zip": ("bad.jsonl", b"PK\3\4" + PASSAGES, r"bad\.jsonl: this is a zip archive.*\n  next: unpack it \(`unzip bad\.jsonl`\)"),
    "xz": ("bad.jsonl", lzma.compress(PASSAGES), r"bad\.jsonl: this is xz; expected UTF-8 text.*\n  next: unpack it: `unxz bad"),
    "bzip2": ("bad.jsonl", bz2.compress(PASSAGES), r"this is bzip2.*\n  next: unpack it: `bunzip2 bad\.jsonl`"),
    "tar": ("bad.jsonl.gz", gzip.compress(TAR), r"this is a tar archive.*\n  next: unpack it: `tar -xf bad\.jsonl\.gz`"),
    "parquet": ("bad.jsonl", b"PAR1\x15", r"this is a parquet table.*\n  next: write it as JSON lines"),
    "PDF": ("bad.jsonl", b"%PDF-1.7", r"this is a PDF.*\n  next: make text of it: `pdftotext"),
    "UTF-32": ("bad.jsonl", GOOD.encode("utf-32"), r"this is UTF-32.*iconv -f utf-32 -t utf-8 bad"),
    "UTF-16 unmarked": ("bad.jsonl", GOOD.encode("utf-16-be"), r"UTF-16 without its mark.*iconv -f utf-16be -t utf-8 bad"),
    "UTF-16 cut off": ("bad.jsonl", GOOD.encode("utf-16")[:-3], r"bad\.jsonl: broken UTF-16, or cut off.*\n  next: make or copy bad"),
    "list": ("bad.jsonl", f"[\n{GOOD}\n]".encode(), r"line 1: broken JSON.*one object a line.*\n  next: write the list as JSON lines"),
    "list in a line": ("bad.jsonl", f"[{GOOD.strip()}]".encode(), r"line 1: a JSON list.*\n  next: write the list as JSON lines: `python"),
    "ends of old Macs": ("bad.jsonl", (GOOD * 2).replace("\n", "\r").encode(), r"line 1: broken JSON.*\n  next: end its lines with newlines: `tr "),
    "empty gzip": ("bad.jsonl.gz", b"", r"bad\.jsonl\.gz: empty file.*\n  next: fill the file"),
    "not UTF-8": (
        "bad.jsonl",
        PASSAGES + (ROW % "caf\xe9").encode("latin-1"),
        r"bad\.jsonl, line 3001: byte 0xe9 is not UTF-8.*\n  next: .*iconv",
    ),
    "raw NUL": ("bad.jsonl", (GOOD + ROW % "a\0b").encode(), r"line 2: broken JSON: Invalid control.*\n  next: fix"),
    "cut off in a row": ("bad.jsonl", PASSAGES[:-20], r"bad\.jsonl, line 3000: broken JSON"),
    "nested deep": ("bad.jsonl", b"[" * 10**6, r"bad\.jsonl, line 1: JSON nested too deep.*\n  next: take it out"),
    "long number": ("bad.jsonl", b'{"title": ' + b"1" * 5000 + b"}", "line 1: a number of thousands of digits"),
    "empty id": ("bad.jsonl", b'{"passage_id": " ", "text": "a"}', "line 1: passage_id is empty"),
    "entity of a file": ("bad.xml", (OUTSIDE + XML % "&x;").encode(), r"bad\.xml, line 2: a DOCTYPE declaration"),
    "billion laughs": ("bad.xml", (LAUGHS + XML % "&c;").encode(), r"bad\.xml, line 1: a DOCTYPE declaration"),
    "unknown entity": ("bad.xml", (XML % "&x;").encode(), r"bad\.xml, line 1: broken XML: undefined entity"),
    "XML cut off": ("bad.xml", b"<Document>\n<Focus>", r"bad\.xml, line 2: broken XML"),
    "CSV of two columns": (
        "bad.csv",
        b"Why?,a,b,c,d,A\nWhy?,a\n",
        r"bad\.csv, line 2: 2 columns; expected 6.*\n  next",
    ),
    "open quote": (
        "bad.csv",
        b'Why?,a,b,c,d,A\n"Why,a,b,c,d,A\nWhy?,a,b,c,d,A\n',
        r"bad\.csv, row that begins at line 2: broken CSV: unexpected end of data.*\n  next: close the quote",
    ),
    "same id, other text": (
        "bad.jsonl",
        (ROW % "One." + ROW % "Two.").encode(),
        r"id 'p' comes twice, from .*bad\.jsonl.*\n  next: rename one",
    ),
    "same id in two sources": (
        "bad.jsonl",
        GOOD.encode(),
        r"id 'good' comes twice, from .*good\.jsonl and .*bad\.jsonl",
    ),
    "nothing usable": (
        "bad.jsonl",
        (ROW % " ").encode(),
        r"no usable row \(1 x passage text missing\).*\n  next: fix",
    ),
}


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def format_of(name: str) -> str:
    return {".xml": "medquad", ".csv": "mmlu"}.get(Path(name).suffix, "jsonl")


@pytest.fixture
def refused(tmp_path, ingest_settings, ingested):
    """Ingests a good source, then it and a bad one; proves that the second run left all of the first as it was."""

    def run(message: str, path: str = "bad.jsonl", error: type[Exception] = DataError) -> None:
        write(tmp_path / "raw/good.jsonl", GOOD)
        good = {"path": "good.jsonl"}
        ingested(ingest_settings(tmp_path / "raw", good))
        before = bytes_below(tmp_path / "out") | bytes_below(tmp_path / "shards")
        with pytest.raises(error, match=f"(?s){message}"):
            ingested(ingest_settings(tmp_path / "raw", good, {"path": path, "format": format_of(path)}))
        assert bytes_below(tmp_path / "out").items() <= before.items()
        left = [folder for folder in (tmp_path / "shards").iterdir() if not (folder / "counts.json").exists()]
        assert left == []

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_file_is_one_error_and_harms_nothing(tmp_path, refused, fault):
    name, content, message = FAULTS[fault]
    write(tmp_path / "raw" / name, content)
    refused(message, name)


KINDS = {
    "gzip without suffix": ("a.jsonl", GZIP),
    "zstd named gzip": ("a.jsonl.gz", ZSTD),
    "gzip in two parts": ("a.jsonl.gz", gzip.compress(PASSAGES[:5000]) + gzip.compress(PASSAGES[5000:])),
    "UTF-16, little": ("a.jsonl", b"\xff\xfe" + PASSAGES.decode().encode("utf-16-le")),
    "UTF-16, big": ("a.jsonl", b"\xfe\xff" + PASSAGES.decode().encode("utf-16-be")),
    "UTF-16 in gzip": ("a.jsonl.gz", gzip.compress(PASSAGES.decode().encode("utf-16"))),
    "UTF-8 with its mark": ("a.jsonl", b"\xef\xbb\xbf" + PASSAGES),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_file_is_its_first_bytes_tell(tmp_path, kind):
    name, content = KINDS[kind]
    path = write(tmp_path / name, content)
    assert "".join(line for _, line in raw_files.text_lines(path)) == PASSAGES.decode() == raw_files.read_text(path)


@pytest.mark.parametrize("text", ["PAR1 is a receptor of thrombin.", "BZhang et al.", "PK of warfarin", "%PDF", "ustar"])
def test_a_text_that_opens_like_another_kind_is_text(tmp_path, text):
    assert raw_files.read_text(write(tmp_path / "a.txt", text)) == text


@pytest.mark.parametrize("fault", ["not UTF-8", "gzip cut off"])
def test_broken_shard_is_not_left_behind(tmp_path, ingest_settings, ingested, fault):
    name, content, _ = FAULTS[fault]
    write(tmp_path / "raw" / name, content)
    with pytest.raises(DataError, match="bad"):
        ingested(ingest_settings(tmp_path / "raw", {"path": name}))
    assert [*(tmp_path / "shards").iterdir()] == []
    assert not (tmp_path / "out").exists()


def test_missing_file_says_what_was_looked_for(tmp_path, refused):
    refused(r"none\.jsonl: no such file; expected a file, folder or glob of format jsonl.*\n  next:", "none.jsonl")


def test_empty_file_in_a_folder_is_named(tmp_path, refused):
    write(tmp_path / "raw/many/full.jsonl", ROW % "Full.")
    write(tmp_path / "raw/many/hollow.jsonl", "\n \n")
    refused(r"many/hollow\.jsonl: empty file; expected at least one row.*\n  next: fill the file", "many")


def test_unreadable_file_is_named(tmp_path, refused):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/bad.jsonl").symlink_to("/proc/self/mem")  # its first byte cannot be read, not even by root
    refused(r"raw/bad\.jsonl: cannot be read \(Input/output error\).*\n  next: check it")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_named(tmp_path, refused):
    write(tmp_path / "raw/bad.jsonl", ROW % "Secret.").chmod(0)
    refused(r"raw/bad\.jsonl: cannot be read \(Permission denied\)")


def test_file_name_that_is_no_text_is_refused(tmp_path, refused):
    write(tmp_path / "raw/many" / os.fsdecode(b"caf\xe9.jsonl"), ROW % "Coffee.")
    refused("the file's name is not UTF-8.*\n  next: rename it", "many")


def test_escaped_control_characters_are_repaired_and_counted(tmp_path, ingest_settings, ingested):
    write(tmp_path / "a.jsonl", GOOD + ROW % r"one\u0000 two\u0007")
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert (found.passages[1].text, found.counts["repaired"]) == ("one two", {"passages": 1, "questions": 0})


def test_half_a_character_becomes_the_replacement_character(tmp_path, ingest_settings, ingested):
    write(tmp_path / "a.jsonl", (ROW % r"a \ud800 b \ud83d\ude00").replace('"p"', r'"p\udc00"'))
    (passage,) = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"})).passages
    assert (passage.passage_id, passage.text) == ("p\ufffd", "a \ufffd b \U0001f600")


def test_exact_repetition_in_a_source_is_counted(tmp_path, ingest_settings, ingested):
    write(tmp_path / "a.jsonl", (GOOD + ROW % "One.") * 2)
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert (found.counts["passages"], found.counts["rejected_by_reason"]) == (2, {"duplicated passage": 2})
    assert [row[1] for row in csv.reader(found.rejects.splitlines()[1:])] == ["good", "p"]


def test_line_of_100_mb_is_rejected_and_never_held(tmp_path, ingest_settings, ingested):
    path = write(tmp_path / "a.jsonl", GOOD)
    with path.open("ab") as stream:
        stream.truncate(100 << 20)  # a hole of NULs, read as such
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + (ROW % "After.").encode())
    tracemalloc.start()
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [passage.text for passage in found.passages] == ["All is well.", "After."]
    assert found.counts["rejected_by_reason"] == {"line longer than 16 MiB": 1}
    assert f"{path},2," in found.rejects
    assert peak_bytes < 56 << 20


@pytest.mark.parametrize("length", [39, 40, 41, 80, 81])
def test_lines_around_the_bound_are_told_apart(tmp_path, monkeypatch, length):
    monkeypatch.setattr(raw_files, "LONGEST_LINE_BYTES", 40)
    path = write(tmp_path / "a.txt", f"first\n{'x' * (length - 1)}\nlast\n")
    lines = [*raw_files.text_lines(path)]
    assert [number for number, _ in lines] == [1, 2, 3]
    assert (lines[1][1] is None, lines[2][1]) == (length > 40, "last\n")


@pytest.mark.parametrize("part", ["PASSAGES", "SKETCHES"])
def test_full_disk_while_a_shard_is_written(tmp_path, refused, monkeypatch, part):
    write(tmp_path / "raw/bad.jsonl", ROW % "Fills the disk.")
    rows = shards.ShardMaker._rows

    def full(maker, unit, counts):
        if unit.origin.endswith("bad.jsonl"):
            monkeypatch.setattr(shards, part, "/dev/full")
        return rows(maker, unit, counts)

    monkeypatch.setattr(shards.ShardMaker, "_rows", full)
    refused(
        r"shards/\w+: no space left to write it; expected room on the disk.*\n  next: free space", error=MissingResource
    )


@pytest.mark.parametrize("table", ["passages.parquet", "questions.parquet", "leaks.parquet", "rejects.csv"])
def test_full_disk_while_a_table_is_written(tmp_path, ingest_settings, ingested, monkeypatch, table):
    write(tmp_path / "a.jsonl", GOOD)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("jmlr.files.secrets.token_hex", lambda length: "full")
    own = f".{table}.{socket.gethostname()}-{os.getpid()}-full.unfinished"
    (tmp_path / "out" / own).symlink_to("/dev/full")
    with pytest.raises(MissingResource, match=rf"out/{re.escape(table)}: no space left.*\n  next: free space"):
        ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert not (tmp_path / "out" / table).exists()
    assert not [*(tmp_path / "out").glob(".*")]


@pytest.fixture
def checkout(tmp_path, repository, monkeypatch) -> Path:
    """A folder with params.yaml and two sources, which is the current one."""
    params = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    write(tmp_path / "params.yaml", yaml.safe_dump(params))
    write(tmp_path / "data/passages.jsonl", PASSAGES)
    question = {"question_id": "q", "question": "Why?", "options": ["MRI", "ECG"], "answer": "B"}
    write(tmp_path / "data/questions.jsonl", json.dumps(question) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(repository))
    return tmp_path


def test_command_prints_the_error_and_leaves_the_old_tables(checkout):
    stage.run(params.load(), workers=1)
    before = bytes_below(layout.INGEST)
    write(checkout / "data/passages.jsonl", PASSAGES[:-20])
    done = subprocess.run([sys.executable, "-m", "jmlr.cli", "ingest"], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("error: data/passages.jsonl, line 3000: broken JSON")
    assert bytes_below(layout.INGEST) == before
    assert not [*layout.BUILD.rglob("*.unfinished")]


KILLED_IN = {
    "the second shard": ("jmlr.data.shards.write_json", 2),
    "the tables": ("jmlr.data.ingest.write_leaks", 1),
}
KILL = """
import os, signal
from unittest import mock
from jmlr.settings import params
from jmlr.stages import ingest
calls = []
def stop(*arguments):
    calls.append(arguments)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
from {module} import {name} as real
with mock.patch("{module}.{name}", stop):
    ingest.run(params.load(), workers=1)
"""


@pytest.mark.parametrize("moment", KILLED_IN)
def test_killed_run_leaves_nothing_that_the_next_one_would_take(checkout, moment):
    path, call = KILLED_IN[moment]
    module, _, name = path.rpartition(".")
    code = KILL.format(module=module, name=name, call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not layout.INGEST.exists()
    assert [*layout.BUILD.rglob(".*.unfinished")], "killed too early or too late to prove anything"
    stage.run(params.load(), workers=1)
    after_kill = bytes_below(layout.BUILD)
    subprocess.run(["rm", "-rf", str(layout.BUILD)], check=True)
    stage.run(params.load(), workers=1)
    assert after_kill == bytes_below(layout.BUILD)
    assert len(read_passages(layout.PASSAGES)) == 3000
