"""One promotion, top to bottom: who is judged, what the gates check, and what follows from it.

    version and champion -> values (here, comparison.py) -> gates.py -> move of the alias (champion.py, audit.py)

The answers to questions and the list of withdrawn passages come from the command: `Evaluate` and `Withdrawn`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jmlr.data.tables import read_made, read_passages
from jmlr.errors import JmlrError, MissingResource, RegistryError
from jmlr.evaluation.protocol import require_same
from jmlr.failure import may_pass
from jmlr.index import generation, manifest
from jmlr.registry.promotion import comparison, gates
from jmlr.registry.promotion.audit import rollback_of
from jmlr.registry.promotion.champion import KEPT, Judged, Registry
from jmlr.registry.promotion.gates import Comparison, Gate
from jmlr.registry.version import record
from jmlr.registry.version.lookup import Version, files, resolve
from jmlr.registry.version.pair import PAIR_HASH_TAG, Pair, hash_rule
from jmlr.registry.version.record import Record
from jmlr.settings import Settings
from jmlr.types import Question

Evaluate = Callable[[Version, Mapping[str, Any]], Path]
"""Evaluates a version on the current questions under a protocol; gives the folder with the files of build/evaluate."""
Withdrawn = Callable[[Version], Sequence[str]]
"""The ids of a version's passages that are withdrawn."""

DRY_RUN = "dry_run"


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        version: the challenger's number; None: that with the alias challenger.
        dry_run: only the gates; nothing changes.
        approve: a person says yes to the request that waits.
    """

    version: int | None = None
    dry_run: bool = False
    approve: bool = False


def promote(
    settings: Settings, registry: Registry, asked: Asked, evaluate: Evaluate, withdrawn: Withdrawn
) -> tuple[str, Judged]:
    """Judges a version, and makes it the champion if all gates pass.

    `evaluate`: for a champion from before the test data changed.

    Returns:
        The outcome, `promoted`, `kept`, `waiting`, `not judged` or `dry_run`, and what the gates found: nothing if the
        version is the champion already.

    Raises:
        RegistryError: if there is no such version, or an approval was not asked for.
    """
    champion, number = registry.champion(), asked.version or registry.challenger()
    if number is None:
        raise RegistryError(
            "no version has the alias challenger", expected="a registered version", next_step="jmlr register"
        )
    if number == champion:
        return KEPT, Judged(champion, number, ())
    if asked.approve:
        registry.require_request(number)
    challenger, *present = (resolve(registry.client, registry.model, str(one)) for one in (number, champion) if one)
    service = gates.service(rollback_of(registry.audit.entries(), number), asked.version is not None)
    found = judge(settings, registry, (challenger, *present), evaluate, withdrawn)
    judged = Judged(champion, number, (*found, service))
    if asked.dry_run:
        return DRY_RUN, judged
    return registry.promote(judged, settings.promote.needs_approval and not asked.approve)


def judge(
    settings: Settings, registry: Registry, versions: Sequence[Version], evaluate: Evaluate, withdrawn: Withdrawn
) -> list[Gate]:
    """What every gate finds that needs no audit.

    `versions`: the challenger, and the champion if there is one.
    """
    challenger, bounds = versions[0], settings.promote
    its, pair = record.fetch(registry.client, challenger), files(registry.client, challenger).pair
    report, questions = its.validation_report(), int(its.counts().get("questions", 0))
    fault = fault_of(pair, challenger)
    return [
        gates.validation(report),
        gates.leakage(report, questions, settings.validate_.max_leaked_fraction),
        gates.pair(fault),
        gates.withdrawn(withdrawn(challenger)),
        *_against(settings, registry, its, versions[1:], evaluate),
        gates.latency(None if fault else _p50_seconds(settings, pair, its), bounds.max_p50_seconds),
        gates.size(_bytes_of(pair), bounds.max_size_gigabytes),
    ]


def fault_of(pair: Pair, version: Version) -> str:
    """What is wrong with the version's files; empty if they belong together and are the registered ones."""
    try:
        manifest.check(generation.current(pair.index), pair.retriever, read_passages(pair.passages))
        found = pair.pair_hash(hash_rule(version.tags))
    except JmlrError as error:
        if may_pass(error):
            raise
        return error.found
    registered = version.tags.get(PAIR_HASH_TAG)
    return "" if found == registered else f"its files hash to {found[:12]}, registered were {str(registered)[:12]}"


def _against(
    settings: Settings, registry: Registry, its: Record, champions: Sequence[Version], evaluate: Evaluate
) -> list[Gate]:
    """The gates that compare the challenger, whose record is `its`, with the champion, if there is one."""
    compared: Comparison | None = None
    told = gates.NO_CHAMPION
    try:
        for champion in champions:
            if its.evaluation is None:
                raise RegistryError("the version carries no evaluation", next_step="jmlr register")
            theirs, told = _champions_evaluation(settings, registry, its.evaluation, champion, evaluate)
            compared = comparison.compare(its.evaluation, theirs, settings.promote.split, settings.evaluate)
    except JmlrError as error:
        passing = may_pass(error) or isinstance(error, MissingResource)  # of this machine, not of a version
        fault = gates.protocol(str(error).splitlines()[0], "", passing)
        return [fault, *gates.uncompared("see protocol", passing)]
    figures = (gate(compared, settings.promote) for gate in (gates.accuracy, gates.helped, gates.subgroups))
    return [gates.protocol("", told), *figures]


def _champions_evaluation(
    settings: Settings, registry: Registry, challenger: Path, champion: Version, evaluate: Evaluate
) -> tuple[Path, str]:
    """The folder of the champion's evaluation under the challenger's protocol, and where it comes from in words.

    If the test data have changed since, or the champion carries no evaluation, it is evaluated again.

    Raises:
        ProtocolMismatch: if the two cannot be compared.
    """
    ours = comparison.read_protocol(challenger)
    allowed = {"prompt"} if settings.promote.allow_prompt_change else set()
    theirs, told = record.fetch(registry.client, champion).evaluation, "the same questions, asked in the same way"
    if theirs is None or comparison.differing(ours, comparison.read_protocol(theirs)) & comparison.ITEMS:
        theirs = evaluate(champion, ours)
        told = f"champion version {champion.number} evaluated on the challenger's questions"
    protocol = comparison.read_protocol(theirs)
    if not comparison.differing(ours, protocol) <= allowed:
        require_same(ours, protocol, ("the challenger", f"champion version {champion.number}"))
    return theirs, told if ours == protocol else f"{told}, each with its own prompt"


def _p50_seconds(settings: Settings, pair: Pair, its: Record) -> float | None:
    """The median seconds of an answer, one question at a time, after a first one that is not counted."""
    from jmlr.answering.answerer import Answerer

    if its.evaluation is None:
        return None
    columns, file = ["question_id", "text", "options"], its.evaluation / "predictions.parquet"
    table = read_made(file, "dvc repro evaluate, then jmlr register", columns=columns).to_pandas()
    rows = table.drop_duplicates("question_id").head(settings.promote.latency_questions + 1)
    asked = [Question(row.question_id, row.text, tuple(row.options), 0, "test") for row in rows.itertuples()]
    answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, pair.settings(settings))
    seconds = []
    for question in asked:
        start = time.perf_counter()
        answerer.answer([question])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:] or seconds)


def _bytes_of(pair: Pair) -> int:
    places = [pair.retriever, pair.reader, pair.index, pair.passages]
    found = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    return sum(path.stat().st_size for path in found if path.is_file())
