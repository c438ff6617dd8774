"""Passages a second and peak memory of ingest, beside a plain pandas version of the same job.

    python benchmarks/ingest.py                                        # 10,000 and 100,000 passages, ten minutes
    python benchmarks/ingest.py --passages 1000000 --versions ingest-2

Every version starts in a fresh process on the same made-up files (benchmarks/raw_corpus.py). Seconds are of the clock,
the start of Python included; CPU seconds of all its processes. Memory: the highest sum of the proportional set sizes of
its processes, seen four times a second. `ingest-N`: stage ingest with N processes; `again`: a second run of it, whose
shards are there; `validate`: stage validate on its tables; `pandas`: benchmarks/plain_ingest.py, which only ingests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import tables
import yaml
from plain_ingest import plain_ingest
from raw_corpus import write_corpus

from jmlr import telemetry
from jmlr.data.ingest import Places, ingest
from jmlr.data.runners import RunInProcesses
from jmlr.files import write_json
from jmlr.models.encoder import tokenizer_text
from jmlr.settings import BaseRetrieverSettings, IngestSettings

RESULTS = Path("benchmarks/results/ingest.json")
VERSIONS = ("ingest-1", "ingest-2", "again", "validate", "pandas")
PASSAGE_TOKENS, OVERLAP_TOKENS = 160, 20
_SECONDS_BETWEEN_LOOKS = 0.25  # a look takes several milliseconds of a core


def main(words: Sequence[str] | None = None) -> int:
    """Measures every version at every size, writes the JSON and prints the table."""
    telemetry.turn_off()
    telemetry.stay_offline()
    asked = parse(words)
    if asked.only:
        print(json.dumps(make(asked.only, asked.work / "raw", asked.work)))
        return 0
    rows: list[dict[str, Any]] = []
    for passages in asked.passages:
        work = asked.work / f"{passages}"
        write_corpus(work / "raw", passages, tokenizer(), asked.seed)
        for version in asked.versions:
            rows.append({"raw_passages": passages, "version": version, **measure(version, work)})
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    result = {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores; 1-minute load when done {os.getloadavg()[0]:.1f}",
        "passage_tokens": PASSAGE_TOKENS,
        "rows": rows,
    }
    write_json(asked.results, result)
    print(tables.ingest(result))
    print(f"{result['machine']}; passages of {result['passage_tokens']} tokens at most")
    return 0


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--versions", nargs="+", default=list(VERSIONS), choices=VERSIONS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_ingest"), help="files are left here")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--only", choices=VERSIONS, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def tokenizer() -> str:
    """The default retriever's."""
    return tokenizer_text(BaseRetrieverSettings(source="minilm", revision=None, dimension=128))


def make(version: str, raw: Path, work: Path) -> dict[str, int]:
    """Runs one version here; how many passages and questions it wrote."""
    if version == "pandas":
        out = work / "pandas"
        out.mkdir(exist_ok=True)
        return plain_ingest(raw, out, tokenizer(), PASSAGE_TOKENS, OVERLAP_TOKENS)
    if version == "validate":
        return validated(work)
    settings = yaml.safe_load(Path("conf/config.yaml").read_text(encoding="utf-8"))["ingest"]
    settings.update(root=str(raw), passage_tokens=PASSAGE_TOKENS, overlap_tokens=OVERLAP_TOKENS)
    sources = [
        {"path": path, "format": "jsonl", "licence": "made"} for path in ("passages-*.jsonl*", "questions.jsonl")
    ]
    out = work / "ingest"
    if version != "again":
        shutil.rmtree(out, ignore_errors=True)
    names = ("shards", "passages.parquet", "questions.parquet", "leaks.parquet", "rejects.csv", "counts.json")
    places = Places(*(out / name for name in names))
    workers = int(version.partition("-")[2] or 1)
    block = IngestSettings(**{**settings, "sources": sources})
    found = ingest(block, 1, tokenizer(), places, RunInProcesses(workers))
    return {"passages": found["passages"], "questions": found["questions"], "leaks": sum(found["leaks"].values())}


def validated(work: Path) -> dict[str, int]:
    """Runs stage validate on the tables that ingest wrote; how many rows it checked."""
    from jmlr.settings import recipes
    from jmlr.stages import layout, validate

    settings = recipes.load("starter")
    bounds = settings.validate_.model_copy(update={"max_leaked_fraction": 1.0})
    os.chdir(work)
    layout.BUILD.mkdir(exist_ok=True)
    layout.INGEST.unlink(missing_ok=True)
    layout.INGEST.symlink_to(Path("ingest").resolve())
    validate.run(settings.model_copy(update={"validate_": bounds}))
    return json.loads(layout.PROFILE.read_text(encoding="utf-8"))["counts"]


def measure(version: str, work: Path) -> dict[str, Any]:
    """Seconds, CPU seconds and peak memory (MB) of one version in a fresh process, and what it wrote."""
    command = [sys.executable, __file__, "--only", version, "--work", str(work.resolve())]
    before, start, peak = os.times(), time.perf_counter(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, tree_megabytes(process.pid))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        printed = process.stdout.read() if process.stdout else ""
    seconds, after = time.perf_counter() - start, os.times()
    if process.returncode:
        raise RuntimeError(f"{version} ended with status {process.returncode}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, **json.loads(printed.splitlines()[-1])}


def tree_megabytes(process_id: int) -> float:
    """Memory of a process and all below it now, shared pages counted once; 0 when it is gone."""
    total = 0
    try:
        root = psutil.Process(process_id)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1024.0**2


if __name__ == "__main__":
    sys.exit(main())
