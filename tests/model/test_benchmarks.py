"""The benchmarks at toy size: both joint steps compute the same, and the tables are made."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[2]
TOY = (
    "--reader toy --pool-passages 5 --sampled-passages 3 --read-passages 2 --passage-tokens 12 --question-tokens 10 "
    "--answer-tokens 5 --questions 2 --length-spread 0.5 --repeats 1 --threads 1"
).split()


@pytest.fixture
def joint_step(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import joint_step

    return joint_step


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scaling

    return scaling


@pytest.mark.parametrize("layout", ["passages_first", "question_first"])
def test_the_plain_and_the_joint_step_agree_in_losses_and_gradients(joint_step, tmp_path, capsys, layout):
    file = tmp_path / "joint_step.json"
    assert joint_step.main([*TOY, "--no-memory", "--peak-tflops=1", f"--layout={layout}", f"--results={file}"]) == 0
    result, printed = json.loads(file.read_text()), capsys.readouterr().out
    for loss in ("reader_loss", "ranking_loss"):
        assert result[loss]["joint"] == pytest.approx(result[loss]["plain"], abs=1e-4)
        assert result[loss]["joint"] > 0.1
    norms = result["gradient_norms"]
    assert norms["joint"] == pytest.approx(norms["plain"], rel=1e-3)
    assert sorted(norms["joint"]) == ["reader_gradient_norm", "retriever_gradient_norm"]
    steps = result["steps"]
    assert list(steps) == ["plain", "joint", "joint, 3 with gradient"]
    assert steps["joint"]["flops_per_question"] < steps["plain"]["flops_per_question"]
    assert all(step["seconds"] > 0 and step["mfu"] > 0 for step in steps.values())
    table = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[1] for line in table[2:]] == list(steps)
    assert "they agree to 0.0001" in printed


def test_a_step_that_computes_something_else_fails(joint_step, tmp_path, monkeypatch, capsys):
    plain = joint_step.plain_step.step
    monkeypatch.setattr(joint_step.plain_step, "step", lambda *args: (plain(*args)[0] + 1e-3, plain(*args)[1]))
    assert joint_step.main([*TOY, "--no-memory", f"--results={tmp_path / 'joint_step.json'}"]) == 1
    assert "DO NOT AGREE" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured on Linux")
def test_memory_is_that_of_one_step(joint_step):
    measurement = joint_step.measurement
    kept = []
    small, large = (
        measurement.resident_megabytes(lambda size=size: kept.append(torch.ones(size, 1024, 1024).sum()))
        for size in (16, 64)
    )
    assert 4 * 16 * 0.8 < small < 4 * 16 * 1.3
    assert 4 * 64 * 0.8 < large < 4 * 64 * 1.3


def test_sizes_that_cannot_be_told_apart_are_refused(joint_step, capsys):
    with pytest.raises(SystemExit, match="2"):
        joint_step.main([*TOY, "--read-passages=1"])
    assert "at least 2" in capsys.readouterr().err


def test_scaling_changes_one_size_at_a_time(scaling, tmp_path, capsys):
    file = tmp_path / "scaling.json"
    words = (
        "--reader toy --questions 1 2 --sampled 2 --passage-tokens 8 --read 1 2 --question-tokens 8 --answer-tokens 4"
    )
    assert scaling.main([*words.split(), "--repeats=1", "--threads=1", f"--results={file}"]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [(row["axis"], row["value"], row["attention"]) for row in rows] == [
        ("questions", 1, "sdpa"), ("questions", 2, "sdpa"), ("sampled_passages", 2, "sdpa"),
        ("passage_tokens", 8, "sdpa"),
        *(("read_passages", k, attention) for k in (1, 2) for attention in ("eager", "sdpa", "shifted_sparse")),
    ]  # fmt: skip
    assert rows[-1]["context_tokens"] > rows[-4]["context_tokens"]
    assert all(row["seconds_per_question"] > 0 for row in rows)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.count(": ") for line in table[2:]] == [2, 1, 1, 3, 3]


def test_a_llama_with_adapters_in_bfloat16(joint_step, tmp_path, monkeypatch, capsys):
    """The way of the 7B and 13B readers, at toy size."""
    import synthetic

    for shapes in (synthetic.READERS, synthetic.ENCODERS):
        monkeypatch.setitem(shapes, "7b", shapes["toy"])
    file = tmp_path / "joint_step.json"
    words = [*TOY, "--reader=7b", "--dtype=bfloat16", "--attention=shifted_sparse", "--no-memory", f"--results={file}"]
    assert joint_step.main([*words, "--projected-questions=3600"]) == 0
    result = json.loads(file.read_text())
    step = result["steps"]["joint"]
    assert step["projected_hours"] == pytest.approx(step["seconds"])
    assert step["mfu"] is None
    assert "3600 questions asked in training" in capsys.readouterr().out
