"""What a name on the command line means."""

from __future__ import annotations

import datetime

import pytest

from jmlr.data.tables import write_passages
from jmlr.data.withdrawal import Entry
from jmlr.errors import DataError
from jmlr.registry.withdrawal.withdrawable import Withdrawable
from jmlr.types import Passage


@pytest.fixture
def known(tmp_path) -> Withdrawable:
    passages = [
        Passage("gout/test", "a", source="guide", document_id="gout"),
        Passage("gout/cure", "b", source="guide", document_id="gout"),
        Passage("long#1", "c", source="book", document_id="long", end=9),
        Passage("long#2", "d", source="book", document_id="long", start=5, end=14),
        Passage("row#1", "e", source="book", document_id="table"),
        Passage("same", "f", source="book", document_id="same"),
        Passage("part", "g", source="book", document_id="many"),
        Passage("more", "h", source="book", document_id="part"),
    ]
    write_passages(tmp_path / "now.parquet", passages[:3])
    write_passages(tmp_path / "version.parquet", passages[3:])
    entry = Entry(source="gone", reason="old", date=datetime.date(2026, 1, 2), who="ann")
    return Withdrawable([tmp_path / name for name in ("now.parquet", "version.parquet", "none.parquet")], [entry])


@pytest.mark.parametrize(
    ("what", "meant"),
    [
        ("gout/test", ("passage_id", "gout/test")),
        ("gout", ("document_id", "gout")),
        ("guide", ("source", "guide")),
        ("same", ("passage_id", "same")),  # the document is this passage alone
        ("row#1", ("passage_id", "row#1")),  # an id of its own, no piece
        ("gone", ("source", "gone")),  # of the log alone
    ],
)
def test_a_name_means_what_has_it(known, what, meant):
    assert known.find(what) == meant


@pytest.mark.parametrize("what", ["long", "long#2", "long#1"])
def test_a_piece_means_the_whole_passage(known, what):
    assert known.find(what) == ("passage_id", "long")


def test_the_kind_decides_where_several_have_the_name(known):
    with pytest.raises(DataError, match=r"(?s)'part' is the name of a passage and of a document.*--kind passage"):
        known.find("part")
    assert known.find("part", "document_id") == ("document_id", "part")


def test_an_unknown_name_is_told_with_names_that_are_near(known):
    with pytest.raises(DataError, match="or source is called 'gout/tset'; expected perhaps gout/test"):
        known.find("gout/tset")
    with pytest.raises(DataError, match="no source is called 'gout'"):
        known.find("gout", "source")
