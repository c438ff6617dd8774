"""Comparing evaluations: side by side under one protocol, refused under two."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from jmlr.commands.evaluate import compare
from jmlr.errors import MissingResource, ProtocolMismatch
from jmlr.files import write_json

SETTINGS = SimpleNamespace(evaluate=SimpleNamespace(confidence=0.95))


def evaluation(folder, jmlr: float, item_count: int = 9):
    """A folder as build/evaluate is one."""
    accuracy = {"jmlr": {"value": jmlr}, "rag": {"value": 0.5}}
    difference = {"jmlr_minus_rag": {"value": jmlr - 0.5}}
    split = {"questions": 9, "accuracy": accuracy, "difference": difference, "retrieval": {}}
    write_json(folder / "metrics.json", {"test": split})
    write_json(folder / "protocol.json", {"item_count": item_count})
    return folder


def test_two_seeds_stand_side_by_side_with_their_mean(tmp_path, capsys):
    compare.run(SETTINGS, [evaluation(tmp_path / "a", 0.9), evaluation(tmp_path / "b", 0.8)])
    shown = capsys.readouterr().out
    for part in ("90.0", "80.0", "85.0 ± 63.5", "jmlr - rag (points)", "+40.0", "35.0 ± 63.5", "9 questions"):
        assert part in shown


def test_an_arm_that_only_one_has_stands_there_without_a_mean(tmp_path, capsys):
    alone = evaluation(tmp_path / "b", 0.8)
    write_json(alone / "metrics.json", {"test": {
        "questions": 9, "accuracy": {"untrained": {"value": 0.4}}, "difference": {}, "retrieval": {},
    }})  # fmt: skip
    compare.run(SETTINGS, [evaluation(tmp_path / "a", 0.9), alone])
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert ["Reader as it comes", "-", "40.0", "-"] in rows
    assert ["jmlr - rag (points)", "+40.0", "-", "-"] in rows


def test_another_protocol_is_refused(tmp_path):
    with pytest.raises(ProtocolMismatch, match="item_count: 9 and 8"):
        compare.run(SETTINGS, [evaluation(tmp_path / "a", 0.9), evaluation(tmp_path / "b", 0.8, item_count=8)])


def test_a_folder_without_evaluation_is_refused(tmp_path):
    with pytest.raises(MissingResource, match="no finished evaluation"):
        compare.run(SETTINGS, [tmp_path])
