"""From new data to a new champion, or the reason why not: `python -m flows.retrain --help`.

If the last registered version has seen the data, no stage runs and nothing is registered. The next run continues what
was cut off: DVC knows finished stages, training its checkpoints, and the registry a pair by its hash.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.artifacts import publish_results
from flows.command import run_and_exit
from flows.ending import parser
from flows.named_states import ACTIONABLE, GATES_FAILED, NOT_JUDGED, NOTHING_NEW, completed, failed
from flows.new_data import fetch_data, whats_new
from flows.notifications import tell
from flows.pipeline import bring_up_to_date
from flows.promote import judge, judged
from flows.run_lock import only_run
from flows.stage_limit import over_budget
from flows.stage_task import is_worth_a_retry, run_command
from jmlr.errors import RegistryError
from jmlr.registry.promotion.audit import rollback_of
from jmlr.registry.promotion.champion import Registry
from jmlr.registry.version.lookup import Version, challenger_and_champion
from jmlr.settings import Settings, params
from jmlr.tracking.store import connect

_TRIES, _DELAY_SECONDS = 2, 30


@flow(name="jmlr-retrain", log_prints=True, on_failure=[tell], on_crashed=[tell], on_completion=[tell])
def retrain(folder: Path | None = None, anyway: bool = False) -> State[Any]:
    """Train, register, judge and perhaps promote, if there is something new.

    The state says what became of it: `NothingNew`, `Promoted`, `WaitingForApproval`, `GatesFailed` (the champion
    stays), or the cause of a failure.

    Args:
        folder: the repository's root; the working folder if None.
        anyway: whether to run also where the data are not new, for changed code or settings.
    """
    if folder is not None:
        os.chdir(folder)  # settings and the tracking store are relative to it
    try:
        settings = params.load()
        with only_run(Path(), "jmlr-retrain", settings.flows.when_running == "wait"):
            return _retrain(settings, anyway)
    except ACTIONABLE as error:
        return failed(error)


def _retrain(settings: Settings, anyway: bool) -> State[Any]:
    name = settings.track.registered_model
    fetched = _fetch_data(settings.ingest.root, return_state=True)
    fetched.result()
    last, champion = _look(name)
    news = whats_new(last) or ("asked for" if anyway else "")
    if news:
        print(f"training: {news}")
        if error := over_budget(settings.flows, Path()):
            raise error
        bring_up_to_date(None)
        run_command("register")
        last, champion = challenger_and_champion(name)
    if last is None:
        raise RegistryError("no version", expected="the one just registered", where=f"registered model {name}")
    if not news and was_judged(last, champion):
        return completed(NOTHING_NEW, f"version {last.number} has seen these data and was judged: {_outcome()}")
    return _judge(name, last, champion)


def _judge(name: str, last: Version, champion: Version | None) -> State[Any]:
    """Judges the version registered last, also one that a run before this was killed over.

    One that was rolled back stays back: it is promoted again where a person asks for it.
    """
    if back := rollback_of(Registry(connect(), name).audit.entries(), last.number):
        told = f"version {last.number} was rolled back by {back['who']}, {back['when'][:10]}"
        return completed(NOTHING_NEW, f"{told}; `jmlr promote --version {last.number}` judges it again")
    state = judge(["--version", str(last.number)])
    outcome = "the champion stays" if state.name in (GATES_FAILED, NOT_JUDGED) else str(state.name)
    publish_results(outcome, last, champion)
    return state


def was_judged(last: Version, champion: Version | None) -> bool:
    """Whether the version is the champion, or was judged last, and against this champion.

    A judgement that came to no verdict (`not judged`) does not count.
    """
    if champion is not None and champion.number == last.number:
        return True
    found = judged()
    if str(found.get("to")) != str(last.number):
        return False
    is_of_champion = str(found.get("from")) == str(champion.number if champion is not None else None)
    return found.get("outcome") == "promoted" or (is_of_champion and found.get("outcome") in ("kept", "waiting"))


def _outcome() -> str:
    return str(judged().get("outcome", "it is the champion"))


_PATIENT: dict[str, Any] = {
    "retries": _TRIES,
    "retry_delay_seconds": _DELAY_SECONDS,
    "retry_condition_fn": is_worth_a_retry,
    "cache_policy": None,
    "persist_result": False,
}


@task(name="look at the registry", **_PATIENT)
def _look(name: str) -> tuple[Version | None, Version | None]:
    return challenger_and_champion(name)


@task(name="fetch data", **_PATIENT)
def _fetch_data(sources: str) -> State[Any] | None:
    try:
        fetch_data(sources)
    except ACTIONABLE as error:
        return failed(error)
    return None


def main(words: Sequence[str] | None = None) -> None:
    """Run the flow; exit status 0 promoted or nothing new, 3 a gate failed, 4 an approval is waited for, 2 an error."""
    reader = parser("retrain", __doc__)
    reader.add_argument("--anyway", action="store_true", help="also where the data are not new")
    run_and_exit(retrain, None, reader.parse_args(words).anyway)


if __name__ == "__main__":
    main()
