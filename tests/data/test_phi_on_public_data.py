"""The screen for protected health information over public medical texts: they hold no patient, so it must find none."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.starter import dataset
from jmlr.validation.phi import screen


def strings(value: Any) -> Iterator[str]:
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def texts_of(folder: Path) -> Iterator[str]:
    """Every text of the raw files below a folder: JSON, JSON lines, CSV lines, XML without its tags."""
    for path in sorted(folder.rglob("*.*")):
        text = path.read_text(encoding="utf-8") if path.suffix in {".json", ".jsonl", ".csv", ".xml"} else ""
        if path.suffix == ".xml":
            yield re.sub("<[^>]+>", " ", text)
        elif path.suffix == ".csv":
            yield from text.splitlines()
        elif text.count("\n{") > 1 or path.suffix == ".jsonl":
            for line in text.splitlines():
                yield from strings(json.loads(line))
        elif text:
            yield from strings(json.loads(text))


def test_the_public_data_sets_hold_nothing_critical(real_data):
    texts = list(texts_of(real_data))
    found = Counter(kind for text in texts for kind in screen(text))
    assert len(texts) > 50_000
    assert set(found) == {"phone", "email"}  # hotlines and addresses in MedQuAD
    assert 10 < found["phone"] < 100
    assert 5 < found["email"] < 30


def test_the_starter_data_hold_nothing_at_all(tmp_path):
    dataset.write(tmp_path)
    texts = list(texts_of(tmp_path))
    assert len(texts) > 5_000
    assert {kind for text in texts for kind in screen(text)} == set()
