"""`jmlr promote`: a version passes the gates and becomes champion, or does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr import fingerprint
from jmlr.commands.evaluate.alone import is_evaluated
from jmlr.commands.evaluate.version import evaluate_version
from jmlr.console import CONSOLE
from jmlr.errors import GateFailed, WaitingForApproval
from jmlr.files import write_json
from jmlr.registry.promotion.audit import KEPT, WAITING
from jmlr.registry.promotion.champion import Judged, Registry
from jmlr.registry.promotion.promotion import DRY_RUN, Asked, promote
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.pair import PAIR_HASH_TAG
from jmlr.registry.withdrawal.versions import withdrawn_passages
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.store import connect

_ANSWERS_ALONE = {
    "controls": (),
    "option_orders": False,
    "strict_text": False,
    "evidence": False,
    "rationale_tokens": 0,
}
"""Only the answers that are compared: controls, other orders, words and evidence are no part of a protocol."""


def run(settings: Settings, asked: Asked) -> None:
    """Takes a version through the gates and prints them; writes build/promotion/gates.json.

    If all pass, the alias champion moves to it; if one fails, the champion stays. The audit gets both.

    Raises:
        RegistryError: if there is no such version, or an approval was not asked for.
        GateFailed: if a gate fails; exit status 3.
        WaitingForApproval: if promote.needs_approval is set and nobody has approved; exit status 4.
    """

    def evaluate(version: Version, protocol: Mapping[str, Any]) -> Path:
        """A folder of its own, not that of jmlr evaluate --version; what an earlier promotion evaluated is taken."""
        folder = layout.EVALUATIONS / f"gates-version-{version.number}"
        if not is_evaluated(folder, version.tags.get(PAIR_HASH_TAG), fingerprint.of_json(protocol)):
            CONSOLE.print(f"{version} carries no evaluation on the challenger's questions: evaluating it on them")
            answers = settings.evaluate.model_copy(update=_ANSWERS_ALONE)
            evaluate_version(settings.model_copy(update={"evaluate": answers}), str(version.number), folder)
        return folder

    registry = Registry(connect(), settings.track.registered_model)
    outcome, judged = promote(settings, registry, asked, evaluate, withdrawn_passages)
    found = {"from": judged.before, "to": judged.after, "outcome": outcome}
    write_json(layout.GATES, {"model": registry.model, **found, "gates": [gate.as_json() for gate in judged.gates]})
    if outcome == KEPT and not judged.gates:
        CONSOLE.print(f"{registry.model} version {judged.after} is the champion already; nothing changes")
    else:
        _tell(registry.model, judged, outcome)


def _tell(model: str, judged: Judged, outcome: str) -> None:
    """Prints the gates and what came of them.

    Raises:
        GateFailed: if one fails.
        WaitingForApproval: if the outcome is waiting.
    """
    CONSOLE.print(_table(model, judged))
    failed = [gate.name for gate in judged.gates if not gate.passed]
    again = "; not judged yet: the same command judges it again" if judged.is_open else ""
    name = f"{model} version {judged.after}"
    if failed:
        raise GateFailed(
            f"{name} does not pass: {', '.join(failed)}{again}",
            expected="every gate passed",
            where=str(layout.GATES),
            next_step=f"champion stays {judged.before or 'none'}; docs/operations.md tells what each gate asks",
        )
    if outcome == WAITING:
        raise WaitingForApproval(
            f"{name} passed every gate and waits for approval", next_step="jmlr promote --approve, by a person"
        )
    was = f"before: version {judged.before}" if judged.before else "the first"
    CONSOLE.print(f"{name} would pass; nothing was changed" if outcome == DRY_RUN else f"{name} is champion; {was}")


def _table(model: str, judged: Judged) -> Table:
    title = f"{model}: version {judged.after} against {f'champion {judged.before}' if judged.before else 'no champion'}"
    table = Table("gate", "passed", "figure", "bound", "detail", title=title, title_justify="left", box=SIMPLE_HEAD)
    for gate in judged.gates:
        table.add_row(gate.name, "yes" if gate.passed else "NO", _shown(gate.figure), _shown(gate.bound), gate.detail)
    return table


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
