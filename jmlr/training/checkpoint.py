"""Checkpoints: written whole or not at all, and enough to go on exactly where they were written.

`checkpoint-STEP` holds the weights of both models and the pools (safetensors), the state of the optimizer and of each
process's random generators (torch.save, read with weights_only, so that loading runs no code), and, last of all,
complete.json: a folder without it was left behind by a killed process. The passage embeddings of a generation of pools
lie beside the folders, `store-GENERATION.safetensors`, written once.

DeepSpeed reads its own shards of the optimizer with pickle: go on only from checkpoints that you wrote.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from jmlr.errors import TrainingFailed
from jmlr.files import reading, replacing, sync, write_json
from jmlr.training import processes
from jmlr.training.collapse import CollapseGuard
from jmlr.training.engine import Engine
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.refresh import PoolRefresh

COMPLETE_FILE, POOLS_FILE = "complete.json", "pools.safetensors"
_PREFIX = "checkpoint-"


@dataclass(frozen=True)
class Checkpoint:
    """What complete.json says.

    Attributes:
        step: optimizer steps that are done.
        world_size: processes that trained together.
        generation: of the pools; 1 is the index of the stage before.
        memories: what each part of the loop remembers, by the name of its class.
    """

    step: int
    world_size: int
    generation: int
    memories: Mapping[str, Mapping[str, Any]]


def save(folder: Path, step: int, engine: Engine, pools: Pools, parts: Sequence[PoolRefresh | CollapseGuard]) -> None:
    """Writes the checkpoint after `step` steps; every process must call it."""
    engine.save(folder_of(folder, step))
    processes.wait_for_all()
    if processes.is_first():
        save_pools(folder, step, pools)
        memories = {type(part).__name__: part.remember() for part in parts}
        complete(folder, Checkpoint(step, processes.world_size(), pools.generation, memories))
    processes.wait_for_all()


def go_on(folder: Path, engine: Engine, pools: Pools, parts: Sequence[PoolRefresh | CollapseGuard]) -> int:
    """Brings a training to its last whole checkpoint, and removes what else lies there; returns the steps done."""
    found = last(folder)
    processes.wait_for_all()
    if processes.is_first():
        clean(folder, found)
    if found is None:
        return 0
    restore_pools(folder, found, pools)
    for part in parts:
        part.recall(found.memories[type(part).__name__])
    engine.load(folder_of(folder, found.step), found.step)
    return found.step


def folder_of(folder: Path, step: int) -> Path:
    """Where the checkpoint after `step` steps lies."""
    return folder / f"{_PREFIX}{step}"


def save_pools(folder: Path, step: int, pools: Pools) -> None:
    """Writes the pools as they are, and the embeddings of their generation unless they lie there already."""
    save_file(pools.state(), str(folder_of(folder, step) / POOLS_FILE))
    store = _store_file(folder, pools.generation)
    if pools.generation > 1 and not store.exists():
        with replacing(store) as unfinished:
            save_file(pools.store.state(), str(unfinished))


def complete(folder: Path, checkpoint: Checkpoint) -> None:
    """Declares the checkpoint whole once it is on the disk, then removes all that only older ones needed."""
    sync(folder_of(folder, checkpoint.step))
    write_json(folder_of(folder, checkpoint.step) / COMPLETE_FILE, asdict(checkpoint))
    clean(folder, checkpoint)


def clean(folder: Path, kept: Checkpoint | None) -> None:
    """Removes every checkpoint but `kept`, whole or not, and the embeddings of generations that it does not need."""
    for other in folder.glob(f"{_PREFIX}*"):
        if kept is None or other != folder_of(folder, kept.step):
            (other / COMPLETE_FILE).unlink(missing_ok=True)
            shutil.rmtree(other)
    for store in folder.glob("store-*"):
        if kept is None or store != _store_file(folder, kept.generation):
            store.unlink()


def forget(folder: Path) -> None:
    """Removes the folder of an arm's checkpoints."""
    shutil.rmtree(folder, ignore_errors=True)


def last(folder: Path) -> Checkpoint | None:
    """The whole checkpoint of `folder` with the most steps; None if there is none."""
    files = folder.glob(f"{_PREFIX}*/{COMPLETE_FILE}")
    found = []
    for file in files:
        with reading(file, f"rm -r {file.parent}, then the training goes on from the checkpoint before it"):
            found.append(Checkpoint(**json.loads(file.read_text(encoding="utf-8"))))
    return max(found, key=lambda checkpoint: checkpoint.step, default=None)


def check_world_size(folder: Path, world_size: int) -> None:
    """Refuses to go on from the last checkpoint of `folder` with another number of processes.

    Each process has random generators, a share of the optimizer (ZeRO) and questions of its own, so it would be another
    training.

    Raises:
        TrainingFailed: with both numbers.
    """
    checkpoint = last(folder)
    if checkpoint is not None and checkpoint.world_size != world_size:
        raise TrainingFailed(
            f"the checkpoint was written by {checkpoint.world_size} process(es), this training has {world_size}",
            expected="the same number",
            where=str(folder_of(folder, checkpoint.step)),
            next_step=f"start {checkpoint.world_size} (torchrun --nproc_per_node), or remove {folder} to begin anew",
        )


def restore_pools(folder: Path, checkpoint: Checkpoint, pools: Pools) -> None:
    """Brings `pools`, as they were before the first step, to where they were at the checkpoint."""
    store = pools.store
    if checkpoint.generation > 1:
        store = PassageStore(**load_file(str(_store_file(folder, checkpoint.generation))))
    pools.restore(load_file(str(folder_of(folder, checkpoint.step) / POOLS_FILE)), store, checkpoint.generation)


def _store_file(folder: Path, generation: int) -> Path:
    return folder / f"store-{generation:06d}.safetensors"
