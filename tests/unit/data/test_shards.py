"""Units and their shards: what makes a new one, what is taken as it is, what a shard holds."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import xxhash

from jmlr.settings import SourceSettings
from jmlr.data import shards, units
from jmlr.data.chunking import Budget
from jmlr.data.formats import FORMATS
from jmlr.data.merged import Merged
from jmlr.data.runners import RunInProcesses, run_here
from jmlr.data.shards import ShardMaker
from jmlr.data.units import Unit, units_of
from jmlr.errors import DataError
from jmlr.files import making
from jmlr.types import Passage

FORMATS_BEFORE = dict(FORMATS)
GERMAN = (
    "Die Gicht ist eine Stoffwechselkrankheit, bei der sich Harnsäurekristalle in den Gelenken ablagern und schmerzen."
)
ENGLISH = (
    "Gout is a disorder of metabolism in which crystals of uric acid settle in the joints and make them hurt a lot."
)
QUESTION = {"question_id": "q", "question": "Why?", "options": ["MRI", "ECG"], "answer": "B"}


def write_lines(path, *rows: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def passage(number: int, text: str = "", **more) -> dict:
    return {"passage_id": f"p{number}", "text": text or f"Text number {number}.", **more}


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """Names of the files that format jsonl loads from now on."""
    loaded: list[str] = []

    def load(path, source):
        loaded.append(path.name)
        return FORMATS_BEFORE["jsonl"].load(path, source)

    monkeypatch.setitem(FORMATS, "jsonl", replace(FORMATS["jsonl"], load=load))
    return loaded


@pytest.fixture
def maker(tmp_path, word_tokenizer):
    return ShardMaker(tmp_path / "shards", word_tokenizer, Budget(20, 5), None)


def keys(settings, tokenizer: str = "t") -> list[str]:
    return [unit.key for unit in units_of(settings, tokenizer)]


@pytest.mark.parametrize(
    ("changes", "is_new"),
    [
        ({}, False),
        ({"passage_tokens": 51}, True),
        ({"overlap_tokens": 6}, True),
        ({"languages": ["en"]}, True),
        ({"drop_copies": False}, False),
        ({"max_questions": 5}, False),
        ({"test_fraction": 0.1}, False),
    ],
)
def test_key_changes_with_the_settings_that_reading_depends_on(tmp_path, ingest_settings, changes, is_new):
    write_lines(tmp_path / "a.jsonl", passage(1))
    before = keys(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert (keys(ingest_settings(tmp_path, {"path": "a.jsonl"}, **changes)) != before) == is_new


@pytest.mark.parametrize("change", [{"licence": "GPL"}, {"role": "passages"}, {"split": "test"}, {"format": "medqa"}])
def test_key_changes_with_the_source(tmp_path, ingest_settings, change):
    write_lines(tmp_path / "a.jsonl", passage(1))
    before = keys(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert keys(ingest_settings(tmp_path, {"path": "a.jsonl", **change})) != before


def test_key_changes_with_content_tokenizer_and_code_and_with_nothing_else(tmp_path, ingest_settings, monkeypatch):
    file = write_lines(tmp_path / "a.jsonl", passage(1))
    settings = ingest_settings(tmp_path, {"path": "a.jsonl"})
    before = keys(settings)
    os.utime(file, (1, 1))
    write_lines(tmp_path / "b.jsonl", passage(2))
    assert keys(settings) == before
    assert keys(settings, "another tokenizer") != before
    monkeypatch.setattr(units, "__file__", str(tmp_path / "units.py"))
    assert keys(settings) != before
    monkeypatch.undo()
    write_lines(file, passage(1, "Text number 2."))
    assert keys(settings) != before


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_companion_file_changes_the_key_and_the_split(tmp_path, ingest_settings, ingested, suffix):
    row = {"QUESTION": "Why?", "CONTEXTS": ["One."], "LABELS": ["AIM"], "final_decision": "yes"}
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/ori_pqal.json").write_text(json.dumps({"1": row, "2": {**row, "CONTEXTS": ["Two."]}}))
    settings = ingest_settings(tmp_path / "raw", {"path": ".", "format": "pubmedqa"}, test_fraction=0.0)
    before = keys(settings)
    assert ingested(settings).counts["questions_by_split"] == {"train": 2}
    listed = b'{"1": "yes"}'
    (tmp_path / f"raw/test_ground_truth.json{suffix}").write_bytes(gzip.compress(listed) if suffix else listed)
    assert keys(settings) != before
    assert ingested(settings).counts["questions_by_split"] == {"test": 1, "train": 1}


def test_files_are_grouped_to_units_worth_a_process(tmp_path, ingest_settings, monkeypatch):
    for name, size in (("a", 40), ("b", 50), ("c", 30), ("d", 200), ("e", 10)):
        (tmp_path / f"{name}.txt").write_text("x" * size)
    monkeypatch.setattr(units, "_UNIT_BYTES", 100)
    found = units_of(ingest_settings(tmp_path, {"path": ".", "format": "text"}), "t")
    assert [[file.stem for file in unit.files] for unit in found] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert len({unit.key for unit in found}) == 4


def test_finished_shard_is_not_read_again(tmp_path, ingest_settings, ingested, loads):
    write_lines(tmp_path / "a.jsonl", passage(1))
    write_lines(tmp_path / "b.jsonl", passage(2))
    both = ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"})
    first = ingested(both)
    again = ingested(both)
    assert loads == ["a.jsonl", "b.jsonl"]
    assert (again.passages, again.counts) == (first.passages, first.counts)
    write_lines(tmp_path / "b.jsonl", passage(3))
    assert [one.passage_id for one in ingested(both).passages] == ["p1", "p3"]
    assert loads == ["a.jsonl", "b.jsonl", "b.jsonl"]


def test_shards_that_no_source_uses_are_removed(tmp_path, ingest_settings, ingested, word_tokenizer):
    write_lines(tmp_path / "a.jsonl", passage(1))
    write_lines(tmp_path / "b.jsonl", passage(2))
    ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"}))
    left_by_a_killed_run = tmp_path / "shards/.key.host-1.unfinished"
    left_by_a_killed_run.mkdir()
    settings = ingest_settings(tmp_path, {"path": "b.jsonl"})
    ingested(settings)
    assert [folder.name for folder in (tmp_path / "shards").iterdir()] == keys(settings, word_tokenizer)


def test_shard_of_many_batches_is_that_of_one(tmp_path, maker, monkeypatch):
    file = write_lines(tmp_path / "a.jsonl", *(passage(number, " ".join([f"w{number}"] * 50)) for number in range(7)))
    source = SourceSettings(path="a.jsonl", format="jsonl", licence="MIT")
    found = []
    for key, rows in (("one", 4_000), ("many", 2)):
        monkeypatch.setattr(shards, "_BATCH_ROWS", rows)
        whole = Merged([maker(Unit(source, "a", (file,), key))], ["a"])
        ids = whole.ids(np.arange(len(whole)))
        found.append((whole.column("content").tolist(), ids, whole.chunks_of(["p3"])))
    assert found[0] == found[1]
    assert len(found[0][2]["p3"]) > 1


def test_sketches_are_of_the_rows_in_their_order(tmp_path, maker):
    folder = maker.of_passages([Passage("p", " ".join("abcdefghij" * 5)), Passage("q", "Other.")], "k", "a")
    whole = Merged([folder], ["a"])
    names = ["p#1", "p#2", "p#3", "q"]
    assert whole.ids(np.arange(len(whole))) == dict(enumerate(names))
    assert whole.column("id").tolist() == [xxhash.xxh3_64_intdigest(name.encode()) for name in names]


@pytest.mark.parametrize(("role", "passages", "questions"), [("any", 1, 1), ("passages", 1, 0), ("questions", 0, 1)])
def test_role_takes_passages_or_questions(tmp_path, ingest_settings, ingested, role, passages, questions):
    write_lines(tmp_path / "a.jsonl", passage(1), QUESTION, {**QUESTION, "options": []})
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl", "role": role})).counts
    assert (found["passages"], found["questions"]) == (passages, questions)
    assert found["rows_of_other_role"] == 2 - passages - questions
    assert found["rejected_by_reason"] == {"fewer than 2 options": 1}


def test_files_in_a_folder_that_no_source_reads_are_told(tmp_path, ingest_settings, ingested):
    write_lines(tmp_path / "raw/a.jsonl", passage(1))
    for name in ("b/GUIDE.DOCX", "c.jsonl.bz2", "read.txt", ".hidden/x", "raw.dvc", "test_ground_truth.json"):
        (tmp_path / "raw" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "raw" / name).write_text("A text of its own.")
    sources = {"path": "raw"}, {"path": "raw", "format": "text"}
    found = ingested(ingest_settings(tmp_path, *sources))
    assert found.counts["rejected_by_reason"] == {"file of another kind": 3}
    assert [row.split(",")[0].rpartition("raw/")[2] for row in found.rejects.splitlines()[1:]] == [
        *("b/GUIDE.DOCX", "c.jsonl.bz2", "test_ground_truth.json")
    ]


@pytest.mark.parametrize(
    ("languages", "kept"),
    [(None, ["p1", "p2", "p3"]), (["en"], ["p2", "p3"]), (["de"], ["p1", "p3"]), (["en", "de"], ["p1", "p2", "p3"])],
)
def test_passages_in_other_languages_are_left_out(tmp_path, ingest_settings, ingested, languages, kept):
    short = "Gicht ist sehr schmerzhaft."  # too short to tell the language
    write_lines(tmp_path / "a.jsonl", passage(1, GERMAN), passage(2, ENGLISH), passage(3, short))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, languages=languages))
    assert [one.passage_id for one in found.passages] == kept
    missing = {"p1": "language de", "p2": "language en"}
    assert found.counts["rejected_by_reason"] == {missing[one]: 1 for one in missing if one not in kept}


def test_repaired_rows_are_counted_and_empty_ones_rejected(tmp_path, ingest_settings, ingested):
    wrong = "Sjögren’s".encode().decode("cp1252")
    write_lines(
        tmp_path / "a.jsonl", passage(1, wrong), passage(2), passage(3, "\u200b"), {**QUESTION, "question": wrong}
    )
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert [one.text for one in found.passages] == ["Sjögren’s", "Text number 2."]
    assert found.questions[0].text == "Sjögren’s"
    assert found.counts["repaired"] == {"passages": 2, "questions": 1}
    assert found.counts["rejected_by_reason"] == {"passage text missing": 1}


def test_answer_that_repair_leaves_empty_is_no_passage_of_medquad(tmp_path, ingest_settings, ingested):
    pair = '<QAPair pid="{}"><Question qtype="t">Why?</Question><Answer>{}</Answer></QAPair>'
    pairs = pair.format(1, "\u200b") + pair.format(2, "Rest.")
    (tmp_path / "a.xml").write_text(f"<Document source='x'><Focus>Gout</Focus><QAPairs>{pairs}</QAPairs></Document>")
    found = ingested(ingest_settings(tmp_path, {"path": "a.xml", "format": "medquad"}))
    assert [one.text for one in found.passages] == ["Rest."]
    assert found.counts["rejected_by_reason"]["passage text missing"] == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_rationales_of_training_questions_alone_become_passages(tmp_path, ingest_settings, ingested, wanted):
    rows = [
        {**QUESTION, "question_id": split, "question": f"Why {split}?", "split": split, "rationale": f"For {split}."}
        for split in ("train", "dev", "test", "test_seen")
    ]
    write_lines(tmp_path / "a.jsonl", passage(1), *rows, {**QUESTION, "split": "train"})
    settings = ingest_settings(tmp_path, {"path": "a.jsonl"}, rationales_as_passages=wanted)
    for _ in range(2):  # the second time with the shard of the first there
        found = {one.passage_id: one for one in ingested(settings).passages}
        assert sorted(found) == ["p1", *["rationale:train"] * wanted]
    if wanted:
        made = found["rationale:train"]
        assert (made.text, made.source, made.licence, made.section) == (
            "For train.",
            "a/rationales",
            "MIT",
            "rationale",
        )


def test_rationales_of_dealt_questions_follow_their_split(tmp_path, ingest_settings, ingested):
    rows = [{**QUESTION, "question_id": f"q{n}", "question": f"Why {n}?", "rationale": f"So {n}."} for n in range(20)]
    write_lines(tmp_path / "a.jsonl", *rows)
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, rationales_as_passages=True, dev_fraction=0.2))
    train = {f"rationale:{one.question_id}" for one in found.questions if one.split == "train"}
    assert {one.passage_id for one in found.passages} == train
    assert 0 < len(train) < 20


def test_broken_file_leaves_nothing_of_its_shard(tmp_path, maker):
    file = write_lines(tmp_path / "a.jsonl", passage(1))
    file.write_text(file.read_text() + "{")
    unit = Unit(SourceSettings(path="a.jsonl", format="jsonl", licence="MIT"), "a", (file,), "k")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: broken JSON"):
        maker(unit)
    assert [*maker.folder.iterdir()] == []


def test_maker_and_units_travel_to_other_processes(tmp_path, maker, ingest_settings, monkeypatch):
    for name in "ab":
        write_lines(tmp_path / f"{name}.jsonl", passage(1, f"Text of {name}."))
    made = units_of(ingest_settings(tmp_path, {"path": "a.jsonl"}, {"path": "b.jsonl"}), maker.tokenizer)
    again = pickle.loads(pickle.dumps(maker))
    assert [*run_here(again, made)] == [maker.folder / unit.key for unit in made]
    # Too little to read for processes: made here, in the order of the units.
    assert [*RunInProcesses(2)(maker, made[::-1])] == [maker.folder / unit.key for unit in made[::-1]]


def test_what_a_killed_process_left_goes_and_what_others_make_stays(tmp_path, monkeypatch):
    """Others: a running process of this machine, and any of another, whose processes cannot be asked for."""
    gone, running = 2**22 + 1, os.getppid()
    names = []
    for machine, process_id in (("here", gone), ("here", running), ("elsewhere", gone)):
        monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
        with making(tmp_path / "made") as own:
            names.append(own.name.replace(str(os.getpid()), str(process_id)))
    for name in names:
        (tmp_path / name).mkdir()
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    with making(tmp_path / "made") as own:
        (own / "note").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[1:], "made"])
