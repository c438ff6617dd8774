"""`jmlr withdraw` over a registry of two versions: what it shows, writes and tags."""

from __future__ import annotations

import json

import pytest

from jmlr.commands.passages import withdraw
from jmlr.commands.passages.withdraw import Asked
from jmlr.data.tables import write_passages, write_rows
from jmlr.data.withdrawal import WITHDRAWN_FILE, read
from jmlr.errors import DataError, JmlrError
from jmlr.evaluation import evidence, predictions
from jmlr.evaluation.evidence import Evidence
from jmlr.registry.version.lookup import all_versions
from jmlr.registry.withdrawal.versions import marked
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.types import Passage


@pytest.fixture
def versions(put_version, tmp_path, tracked, repository):
    """Settings, and a function that gives the tags of both versions; version 1, the champion, holds p1."""
    now = [Passage("p2", "b", document_id="d"), Passage("p3", "c")]
    write_passages(tmp_path / "one.parquet", [Passage("p1", "a", document_id="d"), now[0]])
    write_passages(layout.PASSAGES, now)
    made = put_version(1, passages=tmp_path / "one.parquet")
    put_version(2, passages=layout.PASSAGES)
    tracked.set_registered_model_alias(made.name, "champion", "1")
    settings = params.load(repository / "params.yaml")
    track = settings.track.model_copy(update={"registered_model": made.name})
    evidence.write(layout.EVIDENCE, [Evidence("q1", "jmlr", "p2", 1, -0.9, -0.9, True, None)])
    row = {"question_id": "q1", "arm": "jmlr", "correct": True}
    empty = {field.name: None for field in predictions.SCHEMA}
    write_rows(layout.PREDICTIONS, [{**empty, **row}], predictions.SCHEMA)
    return settings.model_copy(update={"track": track}), lambda: [
        marked(one) for one in all_versions(tracked, made.name)
    ]


def impact() -> dict:
    return json.loads(layout.WITHDRAWAL.read_text(encoding="utf-8"))


def test_it_shows_who_holds_it_and_whose_answer_goes_with_it(versions, capsys):
    settings, tags = versions
    withdraw.run(settings, Asked("d", "superseded"))
    shown = " ".join(capsys.readouterr().out.split())
    assert "document d: 2 passages p1, p2" in shown
    assert "Version 1 is the champion and contains it" in shown
    assert "answers that change: q1" in shown
    found = impact()
    assert found["passages"] == ["p1", "p2"]
    assert [(one["version"], one["passages"]) for one in found["holders"]] == [(1, 2), (2, 1)]
    assert (found["leanings"][0]["read"], found["leanings"][0]["right_lost"]) == (["q1"], ["q1"])
    [entry] = read()
    assert (entry.document_id, entry.reason, bool(entry.who)) == ("d", "superseded", True)
    assert [one["passages"] for one in tags()] == [2, 1]


def test_a_dry_run_writes_nothing_that_counts(versions, capsys):
    settings, tags = versions
    withdraw.run(settings, Asked("p2", dry_run=True))
    assert "Dry run" in capsys.readouterr().out
    assert not WITHDRAWN_FILE.exists()
    assert tags() == [None, None]


def test_twice_is_one_entry_and_the_tags_are_mended(versions, tracked, capsys):
    settings, tags = versions
    withdraw.run(settings, Asked("p1", "superseded"))
    tracked.delete_model_version_tag(settings.track.registered_model, "1", "withdrawn")
    withdraw.run(settings, Asked("p1", "superseded again"))
    assert "passage p1 is withdrawn since" in capsys.readouterr().out
    assert len(read()) == 1
    assert [one and one["by"] for one in tags()] == [["passage p1"], None]


def test_it_can_be_taken_back_and_both_stay_written(versions):
    settings, tags = versions
    withdraw.run(settings, Asked("p1", "superseded"))
    withdraw.run(settings, Asked("p1", "the board was wrong", undo=True))
    assert [(one.reason, one.restored) for one in read()] == [("superseded", False), ("the board was wrong", True)]
    assert tags() == [None, None]
    with pytest.raises(DataError, match="passage p1 is not withdrawn"):
        withdraw.run(settings, Asked("p1", "again", undo=True))


def test_without_a_reason_or_a_known_name_nothing_is_written(versions):
    settings, tags = versions
    with pytest.raises(JmlrError, match=r"--reason: no reason; expected why"):
        withdraw.run(settings, Asked("p1", " "))
    with pytest.raises(DataError, match=r"'q1'"):
        withdraw.run(settings, Asked("q1", "superseded"))
    assert not WITHDRAWN_FILE.exists()
    assert tags() == [None, None]
