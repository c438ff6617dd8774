"""DeepSpeed's ZeRO stages train as one plain process does, and leave whole weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SETTINGS = {
    "steps": 4,
    "refresh_every_steps": 2,
    "questions_per_step": 4,
    "sampling": {"passages": 6},
}


def zero(stage: int) -> dict[str, object]:
    return {
        "zero_optimization": {"stage": stage, "stage3_gather_16bit_weights_on_model_save": True},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }


def rows(folder: Path, name: str) -> list[float]:
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [row["value"] for row in map(json.loads, lines) if row["name"] == name]


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_two_zero_processes_train_like_one_plain_one(arm_task, run_tries, tmp_path, stage):
    plain, sharded, killed = tmp_path / "plain", tmp_path / "sharded", tmp_path / "killed"
    with_zero = {"processes": 2, "train": {"deepspeed": zero(stage)}}
    tries = [
        {"folder": str(plain), "processes": 1},
        {"folder": str(sharded), **with_zero},
        {"folder": str(killed), **with_zero, "death": ["log", 3]},
        {"folder": str(killed), **with_zero},
    ]
    assert run_tries(arm_task("jmlr", **SETTINGS), tries) == [[0], [0, 0], [-9, 1], [0, 0]]
    for name in ("reader_loss", "retriever_loss", "reader_weight_change", "retriever_weight_change"):
        assert rows(sharded, name) == pytest.approx(rows(plain, name), rel=1e-3), name
    one, two = (load_file(folder / "weights.safetensors") for folder in (plain, sharded))
    assert {name: value.shape for name, value in one.items()} == {name: value.shape for name, value in two.items()}
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4, msg=name)
    again = load_file(killed / "weights.safetensors")
    assert rows(killed, "reader_loss") == pytest.approx(rows(sharded, "reader_loss"), rel=1e-5)
    for name in two:
        torch.testing.assert_close(again[name], two[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [2, 3])
def test_in_bfloat16_zero_keeps_what_trains_in_float32(arm_task, run_tries, tmp_path, stage):
    """The retriever and the reader's adapters, embeddings and norms; frozen weights are bfloat16."""
    lora = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["q_proj"]}
    task = arm_task("jmlr", **SETTINGS, reader={"dtype": "bfloat16", "lora": lora})
    plain, sharded = tmp_path / "plain", tmp_path / "sharded"
    block = {**zero(stage), "bf16": {"enabled": True}}
    tries = [
        {"folder": str(plain), "processes": 1},
        {"folder": str(sharded), "processes": 2, "train": {"deepspeed": block}},
    ]
    assert run_tries(task, tries) == [[0], [0, 0]]
    for name in ("reader_loss", "retriever_loss", "reader_norms_weight_change", "retriever_weight_change"):
        assert rows(sharded, name) == pytest.approx(rows(plain, name), rel=0.02), name
    one, two = (load_file(folder / "weights.safetensors") for folder in (plain, sharded))
    assert {name: value.dtype for name, value in one.items()} == {name: value.dtype for name, value in two.items()}
    frozen = {name for name, value in two.items() if value.dtype == torch.bfloat16}
    assert frozen
    assert all(
        name.startswith("reader.") and "proj" in name and "lora" not in name or "lm_head" in name for name in frozen
    )


@pytest.mark.slow
def test_a_zero_checkpoint_holds_whole_weights_as_safetensors(arm_task, run_tries, tmp_path):
    task = arm_task("jmlr", **SETTINGS, save_every_steps=2)
    one = {"folder": str(tmp_path / "run"), "processes": 2, "train": {"deepspeed": zero(3)}}
    assert run_tries(task, [one]) == [[0, 0]]
    saved = load_file(tmp_path / "run" / "checkpoints" / "checkpoint-4" / "model.safetensors")
    trained = load_file(tmp_path / "run" / "weights.safetensors")
    for name, value in trained.items():
        torch.testing.assert_close(saved[name].float(), value, rtol=1e-6, atol=1e-6, msg=name)
