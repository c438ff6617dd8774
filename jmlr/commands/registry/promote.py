"""Stage promote: the challenger passes the gates and becomes champion, or not. Outside DVC: it has side effects."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from jmlr.commands.registry.gate_figures import judge
from jmlr.console import CONSOLE
from jmlr.errors import GateFailed, RegistryError, WaitingForApproval
from jmlr.files import write_json
from jmlr.registry.promotion import gates
from jmlr.registry.promotion.audit import rollback_of
from jmlr.registry.promotion.champion import Judged, Registry
from jmlr.registry.version.lookup import resolve
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.store import connect


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        version: the challenger's number; None: that with the alias challenger.
        dry_run: only the gates; nothing changes.
        approve: a person says yes to the request that waits.
    """

    version: int | None = None
    dry_run: bool = False
    approve: bool = False


def run(settings: Settings, asked: Asked) -> None:
    """Takes a version through the gates and prints them; writes build/promotion/gates.json.

    If all pass, the alias champion moves to it; if one fails, the champion stays. The audit gets both.

    Raises:
        RegistryError: if there is no such version, or an approval was not asked for.
        GateFailed: if a gate fails; exit status 3.
        WaitingForApproval: if promote.needs_approval is set and nobody has approved; exit status 4.
    """
    client = connect()
    registry = Registry(client, settings.track.registered_model)
    champion = registry.champion()
    number = asked.version or registry.challenger()
    if number is None:
        raise RegistryError(
            "no version has the alias challenger", expected="a registered version", next_step="jmlr register"
        )
    if number == champion:
        CONSOLE.print(f"{registry.model} version {number} is the champion already; nothing changes")
        _write(registry.model, Judged(champion, number, ()), "kept")
        return
    if asked.approve:
        registry.require_request(number)
    versions = [resolve(client, registry.model, str(one)) for one in (number, champion) if one is not None]
    service = gates.service(rollback_of(registry.audit.entries(), number), asked.version is not None)
    found = judge(settings, versions[0], (versions[1:] or [None])[0])
    judged = Judged(champion, number, (*found, service))
    if asked.dry_run:
        outcome = "dry_run"
    else:
        outcome, judged = registry.promote(judged, settings.promote.needs_approval and not asked.approve)
    _write(registry.model, judged, outcome)
    _tell(registry.model, judged, outcome)


def _write(model: str, judged: Judged, outcome: str) -> None:
    write_json(
        layout.GATES,
        {
            "model": model,
            "from": judged.before,
            "to": judged.after,
            "outcome": outcome,
            "gates": [gate.as_json() for gate in judged.gates],
        },
    )


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
    if outcome == "waiting":
        raise WaitingForApproval(
            f"{name} passed every gate and waits for approval", next_step="jmlr promote --approve, by a person"
        )
    was = f"before: version {judged.before}" if judged.before else "the first"
    CONSOLE.print(f"{name} would pass; nothing was changed" if outcome == "dry_run" else f"{name} is champion; {was}")


def _table(model: str, judged: Judged) -> Table:
    title = f"{model}: version {judged.after} against {f'champion {judged.before}' if judged.before else 'no champion'}"
    table = Table("gate", "passed", "figure", "bound", "detail", title=title)
    for gate in judged.gates:
        table.add_row(gate.name, "yes" if gate.passed else "NO", _shown(gate.figure), _shown(gate.bound), gate.detail)
    return table


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
