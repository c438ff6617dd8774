"""One copy of what all processes of a machine read."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from jmlr.errors import MissingResource
from jmlr.training import processes


def one_copy(parts: Iterable[tuple[torch.Tensor, torch.Tensor]], shape: tuple[int, int]) -> torch.Tensor:
    """A float16 tensor in a temporary file that all processes of this machine map; every process must call this.

    The first process of each machine writes. The file has no name any more once all have it, so nothing is left behind.

    Args:
        parts: places int64 (R,) and the rows (R, H) that go there; every process goes through all parts.
        shape: of the tensor.

    Raises:
        MissingResource: if the temporary folder has no room for it.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    with nullcontext() if local else tempfile.NamedTemporaryFile(prefix="jmlr-") as own:
        file = processes.gather(own.name if own else "")[processes.rank() - local]
        if own:
            _require_room(Path(file).parent, 2 * math.prod(shape))
            copy = torch.from_numpy(np.memmap(file, np.float16, "w+", shape=shape))
        for places, rows in parts:
            if own:
                copy[places] = rows
        processes.wait_for_all()
        mapped = torch.from_numpy(np.memmap(file, np.float16, "c", shape=shape))
        processes.wait_for_all()
    return mapped


def _require_room(folder: Path, needed_bytes: int) -> None:
    if (free := shutil.disk_usage(folder).free) < needed_bytes:
        raise MissingResource(
            f"{free / 1e9:.1f} GB are free",
            expected=f"{needed_bytes / 1e9:.1f} GB, for the passages' embeddings that all processes read",
            where=str(folder),
            next_step="free space, or set TMPDIR to a folder with room; then run the command again",
        )
