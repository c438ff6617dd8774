"""A file of build/ that is damaged is one error that names it, and the command that makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import promote
from jmlr.commands.data import accept, view
from jmlr.commands.evaluate import alone, compare, rationales, results
from jmlr.commands.passages.refreshed import Refreshed
from jmlr.commands.registry import register
from jmlr.data.tables import write_passages, write_questions
from jmlr.errors import DataError
from jmlr.files import read_json
from jmlr.registry.promotion import comparison
from jmlr.serving.loading import read_abstaining
from jmlr.settings import recipes
from jmlr.stages import costs, layout
from jmlr.training import checkpoint
from jmlr.types import Passage, Question

SETTINGS = recipes.load("starter", Path(__file__).parents[2] / "conf")
ASKED = rationales.Asked(("jmlr",), "names", "")
CHECKPOINT = layout.TRAIN / "checkpoints" / "checkpoint-3"

READ: dict[str, tuple[Path, Callable[[], object]]] = {
    "results": (layout.METRICS, lambda: results.run(SETTINGS)),
    "results, costs": (layout.COSTS, costs.summary),
    "compare": (layout.METRICS, lambda: compare.run(SETTINGS, [layout.EVALUATE])),
    "compare, protocol": (layout.PROTOCOL, lambda: compare.run(SETTINGS, [layout.EVALUATE])),
    "rationales": (layout.PREDICTIONS, lambda: rationales.run(SETTINGS, ASKED)),
    "register": (layout.METRICS, lambda: register.run(SETTINGS)),
    "data stats": (layout.COUNTS, view.stats),
    "data accept": (layout.VALIDATION_REPORT, lambda: accept.run(SETTINGS)),
    "refreshed": (layout.REFRESHED_RECORD, Refreshed.read),
    "evaluated": (
        layout.REFRESHED_EVALUATION / "evaluated.json",
        lambda: alone.is_evaluated(layout.REFRESHED_EVALUATION, "", ""),
    ),
    "promote, protocol": (layout.PROTOCOL, lambda: comparison.read_protocol(layout.EVALUATE)),
    "promote": (
        layout.PREDICTIONS,
        lambda: comparison.compare(layout.EVALUATE, layout.EVALUATE, "test", SETTINGS.evaluate),
    ),
    "flow promote": (layout.GATES, promote.judged),
    "serve": (layout.METRICS, lambda: read_abstaining(layout.METRICS)),
    "train": (CHECKPOINT / checkpoint.COMPLETE_FILE, lambda: checkpoint.last(CHECKPOINT.parent)),
}


@pytest.fixture(autouse=True)
def others_whole(tmp_path, monkeypatch):
    """What is read besides is there."""
    monkeypatch.chdir(tmp_path)
    write_passages(layout.PASSAGES, [Passage("p", "Gout hurts.")])
    write_questions(layout.QUESTIONS, [Question("q", "Which?", ("MRI", "ECG"), 0, "test")])
    features = dict.fromkeys(
        ("passage_words", "question_words", "passage_sources", "question_sources", "vocabulary", "answer_letters"), {}
    )
    whole = {
        layout.PROTOCOL: {},
        layout.METRICS: {},
        layout.PROFILE: {"format": 1, "recipe": "starter", "features": features},
    }
    for file, content in whole.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage", [b"{\n", b"[1]\n", b'"x"\n', b"\xff\xfe\x00\n"], ids=["cut off", "list", "text", "bytes"]
)
@pytest.mark.parametrize("command", READ)
def test_a_damaged_file_is_named_with_the_command_that_makes_it(command, damage):
    file, read = READ[command]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(damage)
    with pytest.raises(DataError, match="damaged") as told:
        read()
    assert told.value.where == str(file)
    assert told.value.next_step


@pytest.mark.parametrize(
    "command", ["results", "compare", "register", "data stats", "data accept", "refreshed", "train"]
)
def test_a_file_that_lacks_something_is_named(command):
    file, read = READ[command]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"test": {}}')
    with pytest.raises(DataError, match="damaged") as told:
        read()
    assert told.value.where == str(file)


def test_a_line_that_a_kill_left_unfinished_is_no_damage():
    layout.COSTS.parent.mkdir(exist_ok=True)
    row = {"try": 1, "what": "base", "outcome": "finished", "seconds": 3600, "devices": 1, "device": "cpu"}
    layout.COSTS.write_text(json.dumps(row) + '\n{"try": 2')
    assert costs.summary().startswith("1.000 cpu (base 1.000); 1 tries")
    assert layout.COSTS.read_text() == json.dumps(row) + "\n"


def test_no_file_is_no_damage(tmp_path):
    assert read_json(tmp_path / "none.json", "") == {}
