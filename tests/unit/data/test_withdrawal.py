"""The log of what is withdrawn: written behind what is there, read strictly."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jmlr.data.withdrawal import Entry, append, read, standing
from jmlr.errors import DataError


def entry(**changes) -> Entry:
    names = {} if changes.keys() & {"document_id", "source"} else {"passage_id": "gout/test"}
    return Entry(**{**names, "reason": "superseded", "date": datetime.date(2026, 11, 21), "who": "ann", **changes})


@pytest.fixture
def path(tmp_path: Path, repository: Path) -> Path:
    """A log as it is shipped."""
    path = tmp_path / "withdrawn.yaml"
    path.write_bytes((repository / "withdrawn.yaml").read_bytes())
    return path


def test_nothing_is_withdrawn_as_shipped_or_without_a_file(path, tmp_path):
    assert read(path) == read(tmp_path / "none.yaml") == []
    assert standing([]).entries == ()


def test_entries_come_behind_those_that_are_there_and_notes_stay(path):
    append(entry(), path)
    path.write_text(path.read_text() + "# asked by the board\n")
    append(entry(source="old: guide", reason="licence ended"), path)
    text = path.read_text()
    assert text.startswith("# Passages, documents and sources")
    assert "# asked by the board\n- source: 'old: guide'\n" in text
    assert "[]" not in text
    assert read(path) == [entry(), entry(source="old: guide", reason="licence ended")]


def test_the_last_word_stands(path):
    for one in (entry(), entry(restored=True, reason="a mistake"), entry(reason="superseded after all")):
        append(one, path)
    assert len(read(path)) == 3
    assert [one.reason for one in standing(read(path)).entries] == ["superseded after all"]


@pytest.mark.parametrize(("restored", "said"), [(False, "is withdrawn already"), (True, "is not withdrawn")])
def test_what_the_log_says_already_is_refused(path, restored, said):
    append(entry(), path)
    if restored:
        append(entry(restored=True), path)
    with pytest.raises(DataError, match=f"passage gout/test {said}"):
        append(entry(restored=restored), path)


def test_two_who_write_at_once_lose_nothing(path):
    names = [f"p{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: append(entry(passage_id=name), path), names))
    assert sorted(one.passage_id for one in read(path)) == sorted(names)


def test_a_document_and_a_source_cover_their_passages():
    withdrawn = standing([entry(), entry(document_id="asthma"), entry(source="old")])
    found = [withdrawn.entries_of(*row) for row in (
        ("gout/test", "gout", "old"), ("x", "asthma", "new"), ("x#3", "", "old"), ("x", "", "new"),
    )]  # fmt: skip
    assert [[str(one) for one in row] for row in found] == [
        ["passage gout/test", "source old"],
        ["document asthma"],
        ["source old"],
        [],
    ]


GOOD = "- {source: s, reason: r, date: 2026-01-02, who: w}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {source: s, who: w", r"withdrawn\.yaml: not YAML"),
        ("source: s\n", r"withdrawn\.yaml: a dict at the top"),
        (GOOD + "- gout\n", r"entry 2: .*valid dictionary"),
        (GOOD + "- {source: t, date: 2026-01-02, who: w}\n", "entry 2: reason: Field required"),
        (GOOD + "- {sauce: t, reason: r, date: 2026-01-02, who: w}\n", "entry 2: sauce: Extra inputs"),
        ("- {reason: r, date: 2026-01-02, who: w}\n", "entry 1: .*names nothing: one of passage_id"),
        ("- {source: s, passage_id: p, reason: r, date: 2026-01-02, who: w}\n", "names passage_id and source"),
        ("- {source: s, reason: r, date: yesterday, who: w}\n", "entry 1: date: .*date"),
        ("- {source: s, reason: ' ', date: 2026-01-02, who: w}\n", "entry 1: reason: .*at least 1 character"),
        ("- {source: 7, reason: r, date: 2026-01-02, who: w}\n", "entry 1: source: .*valid string"),
        (GOOD.replace("who: w", "who: w, restored: true"), "entry 1: source s is restored, but was not withdrawn"),
    ],
)
def test_a_broken_log_names_the_entry(path, text, message):
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert caught.value.next_step
    with pytest.raises(DataError, match=message):
        append(entry(), path)
    assert path.read_text() == text
