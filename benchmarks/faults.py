"""kill -9 at random moments of a retraining, then the same command again: what is left, and does it end well?

    python benchmarks/faults.py --moments 20 --seed 1

Each moment is a repository of its own (tests/flows/stand_in: stages of a second or two, a training with checkpoints, a
registry in real MLflow) with one version that is champion and new data. `python -m flows.retrain` is started and, after
a random share of the lines that it logs undisturbed, one of these is killed: the flow, the stage or command that runs,
DVC, Prefect's server, or all at once. The table tells, for each, what still ran when the lock was free again, and what
the registry, DVC and the training's journal hold after a second run that nobody disturbs.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import tables
import yaml

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
VICTIMS = ("flow", "stage", "dvc", "server", "all")
STEPS = 8
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class Moment:
    """One kill and what came of it.

    Attributes:
        victim: what was to be killed.
        share: of an undisturbed run's log after which it was to be.
        during: the log's last words before.
        killed: how many processes were.
        first_status: how the disturbed run ended; -9 if it was killed itself.
        orphans: processes of the repository that still ran when its lock was free again.
        second_state: how the second run ended.
        versions: in the registry, 2 is right: the one before and the new one.
        whole: whether both versions have all their tags and aliases.
        up_to_date: whether DVC finds nothing to do afterwards.
        steps_done_twice: of 8; the one under way when the training was killed may be.
    """

    victim: str
    share: float
    during: str
    killed: int
    first_status: int
    orphans: Sequence[str]
    second_state: str
    versions: int
    whole: bool
    up_to_date: bool
    steps_done_twice: int

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost, doubled, left behind or left half."""
        right = self.versions == 2 and self.whole and self.up_to_date and self.steps_done_twice <= 1
        return right and not self.orphans and self.second_state in ("Promoted", "NothingNew")


def prepare(folder: Path) -> None:
    """Fills the folder with the stand-in's repository."""
    folder.mkdir(parents=True)
    for file in (ROOT / "tests" / "flows" / "stand_in").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "pipeline.yaml").rename(folder / "dvc.yaml")  # under its own name DVC would take it for one of ours
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "python.yaml").write_text(yaml.safe_dump({"python": sys.executable}))
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["flows"]["retry_delay_seconds"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    (folder / "data").mkdir()


def learn(folder: Path, words: str) -> None:
    """Gives the repository new data."""
    (folder / "data" / "words.txt").unlink(missing_ok=True)  # DVC may have linked it from its cache
    (folder / "data" / "words.txt").write_text(words)
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], cwd=folder, check=True, timeout=300)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A retraining, its log in retrain.log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "STAND_IN_SECONDS": "0.25",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    }
    log = (folder / "retrain.log").open("ab")
    words = [sys.executable, "run_flow.py", "retrain"]
    return subprocess.Popen(words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment)


def log_of(folder: Path) -> str:
    """What the runs have logged so far."""
    file = folder / "retrain.log"
    return file.read_text(errors="replace") if file.exists() else ""


def processes_of(folder: Path) -> list[psutil.Process]:
    """Those whose working folder is the repository."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.status() != psutil.STATUS_ZOMBIE and Path(one.cwd()) == folder:
                found.append(one)
        except (psutil.Error, OSError):
            continue
    return found


def role(one: psutil.Process) -> str:
    """What a process of the repository is."""
    words = " ".join(one.cmdline())
    if "supervisor.py" in words or "guard.py" in words:
        return "watch"
    for mark, name in (("run_flow.py", "flow"), ("uvicorn", "server"), (" dvc ", "dvc"), ("jmlr_stand_in", "stage")):
        if mark in words:
            return name
    return "other"


def kill(folder: Path, victim: str) -> int:
    """How many processes of that role, or of all, were killed."""
    killed = 0
    for one in processes_of(folder):
        try:
            if victim in ("all", role(one)):
                one.kill()
                killed += 1
        except psutil.NoSuchProcess:
            continue
    return killed


def wait_until_free(folder: Path) -> tuple[str, ...]:
    """The processes of the repository that still run when its lock is free and the server's guard had its time."""
    sys.path.insert(0, str(ROOT))
    from flows.run_lock import only_run

    with only_run(folder, "the benchmark", wait=True, tell=lambda line: None):
        deadline = time.monotonic() + 15
        while processes_of(folder) and time.monotonic() < deadline:
            time.sleep(0.2)
        return tuple(sorted(role(one) for one in processes_of(folder)))


def registry_of(folder: Path) -> tuple[int, bool]:
    """How many versions there are, and whether tags and aliases are whole."""
    code = (
        "import json\nfrom jmlr.tracking.store import connect\nclient = connect()\n"
        "versions = client.search_model_versions(\"name = 'jmlr'\")\n"
        "aliases = client.get_registered_model('jmlr').aliases\n"
        "print(json.dumps([[sorted(one.tags) for one in versions], aliases]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=True)
    tags, aliases = json.loads(done.stdout.splitlines()[-1])
    wanted = sorted(["data_dvc_hash", "pair_hash", "test.accuracy.jmlr"])
    return len(tags), all(one == wanted for one in tags) and {*map(str, aliases.values())} == {str(len(tags))}


def is_up_to_date(folder: Path) -> bool:
    """Whether DVC finds nothing to do."""
    words = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout.strip() == "{}"


def lines_of_flow(log: str) -> int:
    """How many lines the flow has logged; 0 before it begins."""
    return len(log.partition("Beginning flow run")[2].splitlines())


def disturb(template: Path, folder: Path, victim: str, share: float, lines: int) -> Moment:
    """One moment: new data, a run that is disturbed, one that is not."""
    shutil.copytree(template, folder, symlinks=True)
    steps_before = len((folder / "steps.log").read_text().splitlines())
    log_before = len(log_of(folder))
    learn(folder, f"good good {folder.name}")
    run = start(folder)
    while lines_of_flow(log_of(folder)[log_before:]) < share * lines and run.poll() is None:
        time.sleep(0.02)
    during = log_of(folder)[log_before:].strip().splitlines()[-1].split(" | ")[-1][:60]
    while not (killed := kill(folder, victim)) and run.poll() is None:
        time.sleep(0.02)
    first_status = run.wait(_PATIENCE_SECONDS)
    orphans = wait_until_free(folder)
    second = start(folder)
    second.wait(_PATIENCE_SECONDS)
    last = log_of(folder).strip().splitlines()
    state = next((line.split(":")[0] for line in reversed(last) if line.startswith(("Promoted", "Nothing"))), last[-1])
    versions, whole = registry_of(folder)
    steps = (folder / "steps.log").read_text().splitlines()[steps_before:]
    twice = sum(count - 1 for count in collections.Counter(steps).values())
    state = state if second.returncode == 0 else f"status {second.returncode}: {last[-1][:80]}"
    measured = (killed, first_status, orphans, state, versions, whole, is_up_to_date(folder), twice)
    return Moment(victim, round(share, 3), during, *measured)


def undisturbed(template: Path) -> int:
    """Makes the repository's first version, once; the lines that the flow logs until it has promoted it."""
    whole = template / "whole"
    if not whole.exists():
        shutil.rmtree(template, ignore_errors=True)
        prepare(template)
        learn(template, "good")
        if start(template).wait(_PATIENCE_SECONDS):
            raise SystemExit(log_of(template))
        whole.touch()
    return lines_of_flow(log_of(template).partition("Finished in state Promoted")[0])


def verdict(moments: Sequence[Moment]) -> str:
    """How many ended well, of those in which the process to kill was running."""
    hit = [one for one in moments if one.killed]
    missed = len(moments) - len(hit)
    return f"{sum(one.is_well for one in hit)} of {len(hit)} ended well; in {missed} more no such process ran"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20, help="of the plan (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the plan")
    parser.add_argument("--first", type=int, default=0, help="begin with this one of the plan, beside earlier results")
    parser.add_argument("--count", type=int, help="do so many of the plan only")
    parser.add_argument("--folder", type=Path, help="where repositories are made; the template in it is used again")
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args(words)
    draw = random.Random(asked.seed)
    plan = [(VICTIMS[number % len(VICTIMS)], draw.random()) for number in range(asked.moments)]
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="faults-")).resolve()
    template = folder / "template"
    moments = [Moment(**one) for one in json.loads(asked.output.read_text())["moments"]] if asked.first else []
    for number, (victim, share) in list(enumerate(plan))[asked.first :][: asked.count]:
        moments.append(disturb(template, folder / f"moment-{number}", victim, share, undisturbed(template)))
        print(json.dumps(asdict(moments[-1])), flush=True)
        write(asked.output, asked.seed, moments)
        if moments[-1].is_well:
            shutil.rmtree(folder / f"moment-{number}")
    print(tables.faults({"moments": [asdict(one) for one in moments]}))
    print(verdict(moments))
    return 0 if all(one.is_well for one in moments) else 1


def write(output: Path, seed: int, moments: Sequence[Moment]) -> None:
    """Writes the results so far."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    result: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": machine,
        "seed": seed,
        "verdict": verdict(moments),
    }
    output.write_text(json.dumps({**result, "moments": [asdict(one) for one in moments]}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
