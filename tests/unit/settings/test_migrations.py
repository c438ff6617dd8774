"""Settings of an earlier release in the form of today."""

from __future__ import annotations

from typing import Any

import pytest

from jmlr.errors import ConfigError
from jmlr.settings import migrations
from jmlr.settings.migrations import Added, Removed, Renamed, migrated


def test_keys_are_added_renamed_and_removed_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {
        1: (Renamed("train.pace", "train.rate"), Removed("train.old"), Added("prompt.layout", "passages_first")),
        2: (Renamed("train.rate", "train.speed"), Added("prompt.windows", None), Added("gone.key", 1)),
    }
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    monkeypatch.setattr(migrations, "CURRENT", 3)
    raw = {"train": {"pace": 2, "old": 1}, "prompt": {"layout": "question_first"}}
    assert migrated(raw, "params.yaml") == {
        "settings_version": 3,
        "train": {"speed": 2},
        "prompt": {"layout": "question_first", "windows": None},
    }
    assert raw == {"train": {"pace": 2, "old": 1}, "prompt": {"layout": "question_first"}}
    of_two = {"settings_version": 2, "train": {"pace": 2}}
    assert migrated(of_two, "params.yaml") == {"settings_version": 3, "train": {"pace": 2}}


@pytest.mark.parametrize(("share", "drops"), [(0.9, True), (None, False)])
def test_a_value_is_told_in_the_terms_of_its_new_key(share: float | None, drops: bool) -> None:
    found: Any = migrated({"ingest": {"near_duplicates": share}}, "params.yaml")
    assert found["ingest"] == {"drop_copies": drops}


@pytest.mark.parametrize(("words", "tokens"), [(125, 250), (None, None)])
def test_a_bound_in_words_becomes_one_in_tokens(words: object, tokens: object) -> None:
    found: Any = migrated({"settings_version": 2, "validate": {"max_passage_words": words}}, "params.yaml")
    assert found["validate"] == {"max_passage_tokens": tokens}


@pytest.mark.parametrize("version", [migrations.CURRENT + 1, 0, "1", True, None])
def test_a_version_that_this_code_does_not_know_is_refused(version: object) -> None:
    with pytest.raises(ConfigError, match=r"(?s)params\.yaml, settings_version: settings of version .*a later release"):
        migrated({"settings_version": version}, "params.yaml")
