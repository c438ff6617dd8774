"""Several processes train as one does, and know when they cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from jmlr.errors import TrainingFailed
from jmlr.training import checkpoint, processes
from jmlr.training.checkpoint import Checkpoint
from jmlr.training.joint import ArmRun, train_arm

# All of a pool is sampled, so that no draw differs.
SETTINGS = {
    "steps": 5,
    "refresh_every_steps": 2,
    "questions_per_step": 5,
    "sampling": {"passages": 6, "sharpness": 3.0, "passages_with_gradient": None},
}


def rows(folder: Path, name: str) -> list[float]:
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [row["value"] for row in map(json.loads, lines) if row["name"] == name]


def asked(folder: Path, processes_: int) -> list[list[int]]:
    """Question numbers of every step, all processes together."""
    files = [(folder / f"candidates-{rank}.jsonl").read_text().splitlines() for rank in range(processes_)]
    return [sum((json.loads(line)[0] for line in step), []) for step in zip(*files, strict=True)]


def distances(one: Path, two: Path, component: str) -> tuple[float, float]:
    """Euclidean distance of a component's weights of two trainings, and the norm of the weights.

    Without the biases of attention keys: softmax takes them out, so their gradient is rounding, which Adam scales up.
    """
    first, second = (load_file(folder / "weights.safetensors") for folder in (one, two))
    names = [name for name in first if name.startswith(component) and not name.endswith("key.bias")]
    return (
        float(torch.cat([(first[name] - second[name]).flatten() for name in names]).norm()),
        float(torch.cat([first[name].flatten() for name in names]).norm()),
    )


@pytest.mark.slow
def test_two_processes_train_like_one(arm_task, run_tries, tmp_path):
    """Five questions a step, shared two and three; and all twelve where a step could take sixteen."""
    tries = [
        {"folder": str(tmp_path / f"{size}-{count}"), "processes": count, "train": {"questions_per_step": size}}
        for size in (5, 16)
        for count in (1, 2)
    ]
    tries.append({"folder": str(tmp_path / "5-2"), "processes": 1, "train": {"questions_per_step": 5}})
    assert run_tries(arm_task("jmlr", **SETTINGS), tries) == [[0], [0, 0], [0], [0, 0], [1]]
    for size in (5, 16):
        one, two = tmp_path / f"{size}-1", tmp_path / f"{size}-2"
        assert asked(two, 2) == asked(one, 1)
        stores = [(two / f"store-{rank}").read_text() for rank in (0, 1)]
        assert stores[0] == stores[1], "both read one copy"
        assert "/jmlr-" in stores[0]
        for name in ("reader_loss", "retriever_loss", "score_spread", "distinct_top_1"):
            assert rows(two, name) == pytest.approx(rows(one, name), rel=1e-4), (size, name)
        for component in ("reader", "retriever"):
            for name in (f"{component}_gradient_norm", f"{component}_weight_change"):
                assert rows(two, name) == pytest.approx(rows(one, name), rel=1e-4), (size, name)
            distance, start = distances(one, two, component)
            assert distance < 0.001 * start * rows(one, f"{component}_weight_change")[-1], (size, component)


def test_one_process_neither_waits_nor_gathers():
    processes.join()
    processes.wait_for_all()
    assert processes.gather(3) == [3]
    assert (processes.rank(), processes.world_size(), processes.is_first()) == (0, 1, True)


def test_the_launcher_says_how_many_processes_there_are(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (processes.rank(), processes.world_size(), processes.is_first()) == (3, 4, False)


def test_a_checkpoint_of_more_processes_is_refused_before_the_start(make_joint, tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    checkpoint.complete(tmp_path, Checkpoint(step=2, world_size=4, generation=1, memories={}))
    model = make_joint("jmlr")
    with pytest.raises(TrainingFailed, match=r"written by 4 process\(es\), this training has 1"):
        train_arm(model, ArmRun(1, tmp_path, None))


def test_more_processes_than_questions_of_a_step_are_refused(make_joint, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    model = make_joint("jmlr")
    with pytest.raises(TrainingFailed, match=r"a step has 3 question\(s\) for 4 processes; expected at least one"):
        train_arm(model, ArmRun(1, tmp_path, None))
