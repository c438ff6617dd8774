"""Which versions hold what was withdrawn."""

from __future__ import annotations

import datetime
import shutil

import pytest

from jmlr.data.tables import write_passages
from jmlr.data.withdrawal import WITHDRAWN_FILE, Entry, Withdrawn, append
from jmlr.errors import RegistryError
from jmlr.registry.version.lookup import all_versions
from jmlr.registry.withdrawal.versions import TAG, assess, mark, marked, withdrawn_passages
from jmlr.types import Passage


def entry(**names: str) -> Entry:
    return Entry(**names, reason="old", date=datetime.date(2026, 1, 2), who="ann")


@pytest.fixture
def versions(put_version, tmp_path, tracked):
    """Version 1 holds p1 and p2, version 2 p2 and a piece of p3."""
    tables = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    write_passages(tables[0], [Passage("p1", "a", source="guide"), Passage("p2", "b", document_id="d")])
    write_passages(tables[1], [Passage("p2", "b", document_id="d"), Passage("p3#2", "c")])
    made = [put_version(number, passages=table) for number, table in enumerate(tables, start=1)]
    tracked.set_registered_model_alias(made[0].name, "champion", "1")
    return all_versions(tracked, made[0].name)


def test_a_version_tells_what_it_holds_of_the_log(versions, tmp_path):
    assert [withdrawn_passages(one, tmp_path) for one in versions] == [[], []]
    append(entry(document_id="d"), tmp_path / WITHDRAWN_FILE)
    append(entry(passage_id="p3"), tmp_path / WITHDRAWN_FILE)
    assert [withdrawn_passages(one, tmp_path) for one in versions] == [["p2"], ["p2", "p3#2"]]


def test_the_tag_follows_the_log(versions, tracked):
    mark(tracked, versions, Withdrawn((entry(source="guide"), entry(passage_id="p3"))))
    one, two = all_versions(tracked, versions[0].name)
    assert marked(one) == {"passages": 1, "entries": 1, "by": ["source guide"]}
    assert marked(two) == {"passages": 1, "entries": 1, "by": ["passage p3"]}
    mark(tracked, [one, two], Withdrawn((entry(source="guide"),)))
    one, two = all_versions(tracked, versions[0].name)
    assert marked(one) is not None
    assert TAG not in two.tags
    assert marked(two) is None


def test_a_version_whose_files_are_gone_is_not_taken_for_clean(versions, tracked, tmp_path):
    mark(tracked, versions, Withdrawn((entry(passage_id="p2"),)))
    shutil.rmtree(tmp_path / "store" / "2")
    again = all_versions(tracked, versions[0].name)
    mark(tracked, again, Withdrawn((entry(passage_id="another"),)))
    one, two = all_versions(tracked, versions[0].name)
    assert (marked(one), marked(two)) == (None, {"passages": 1, "entries": 1, "by": ["passage p2"]})
    found = assess(entry(passage_id="p2"), tracked, again, tmp_path / "none.parquet", tmp_path)
    assert [(one.version, one.aliases, one.passages) for one in found.holders] == [(1, ("champion",), 1), (2, (), None)]
    assert (found.passages, found.leanings) == (("p2",), ())
    append(entry(passage_id="p2"), tmp_path / WITHDRAWN_FILE)
    with pytest.raises(RegistryError, match="its files cannot be read"):
        withdrawn_passages(two, tmp_path)
