"""fast-plaid on stored embeddings, with its defaults; run by an interpreter that has it, without jmlr.

    /path/to/python benchmarks/fast_plaid_arm.py GENERATION QUERIES.npy FOLDER THREADS K

Prints one line of JSON. fast-plaid 1.7.0 is built for torch up to 2.11; with the torch that jmlr is locked to it
imports, and ends with a segmentation fault at its first use.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from fast_plaid import search


def main(generation: Path, queries: Path, folder: Path, threads: int, k: int) -> None:
    torch.set_num_threads(threads)
    vectors, offsets = np.load(generation / "embeddings.npy", mmap_mode="r"), np.load(generation / "offsets.npy")
    passages = [
        torch.from_numpy(vectors[start:end].copy()) for start, end in zip(offsets[:-1], offsets[1:], strict=True)
    ]
    start, cpu_start = time.perf_counter(), time.process_time()
    index = search.FastPlaid(str(folder), device="cpu")
    index.create(passages)
    built = {"build_seconds": time.perf_counter() - start, "build_cpu_seconds": time.process_time() - cpu_start}
    found, walls, cpus = [], [], []
    asked = torch.from_numpy(np.load(queries))
    index.search(asked[:1], top_k=k, show_progress=False)
    for query in asked:
        start, cpu_start = time.perf_counter(), time.process_time()
        found.append([pid for pid, _ in index.search(query[None], top_k=k, show_progress=False)[0]])
        walls.append(time.perf_counter() - start)
        cpus.append(time.process_time() - cpu_start)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(json.dumps({**built, "bytes": size, "found": found, "walls": walls, "cpus": cpus}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *map(int, sys.argv[4:6]))
