"""Killed at any point and started again, a training ends like an undisturbed one: losses, candidates and weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

STEPS = 9
SETTINGS = {
    "steps": STEPS,
    "save_every_steps": 2,
    "refresh_every_steps": 3,
    "refresh_drift": {"overlap_at": 3, "below": 0.01, "sample_questions": 5, "check_every_steps": 1},
}


def lines(file: Path) -> list:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def history(folder: Path) -> list[tuple[int, str, float]]:
    """All figures of all steps but the clock's."""
    rows = [(row["step"], row["name"], row["value"]) for row in lines(folder / "history.jsonl")]
    return [row for row in rows if not row[1].endswith("_seconds")]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_like_an_undisturbed_run(arm_task, run_tries, tmp_path):
    """Bit for bit. The deaths: before any checkpoint, in a refresh, before a checkpoint is written whole (its weights
    are there), between a checkpoint and the next refresh, before one is declared whole, and after the last step.
    """
    deaths = [("log", 1), ("refresh", 1), ("checkpoint", 4), ("log", 5), ("complete", 6), ("log", 9)]
    whole, again = tmp_path / "whole", tmp_path / "again"
    tries = [{"folder": str(whole)}, *({"folder": str(again), "death": death} for death in deaths)]
    statuses = run_tries(arm_task("jmlr", **SETTINGS), [*tries, {"folder": str(again)}])
    assert statuses == [[0], *[[-9]] * len(deaths), [0]]
    candidates, weights = lines(whole / "candidates-0.jsonl"), load_file(whole / "weights.safetensors")
    assert [entry[3] for entry in candidates] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert any(name == "ranking_overlap" for _, name, _ in history(whole))
    assert history(again) == history(whole)
    assert all(entry in candidates for entry in lines(again / "candidates-0.jsonl"))
    for name, parameter in load_file(again / "weights.safetensors").items():
        assert torch.equal(parameter, weights[name]), name
    kept = sorted(path.name for path in (again / "checkpoints").iterdir())
    assert kept == [f"checkpoint-{STEPS}", "store-000003.safetensors"]
