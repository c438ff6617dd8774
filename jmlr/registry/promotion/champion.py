"""How the alias `champion` moves: under a lock, by one write to the store, with an audit entry before and after.

A killed promotion leaves the old champion or the new one, never none. What it did not write down, the next one does
(`settle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jmlr.errors import RegistryError
from jmlr.registry.lock import alone, beside_store
from jmlr.registry.promotion.audit import (
    ABANDONED,
    INTENTS,
    KEPT,
    MOVED,
    PROMOTING,
    ROLLING_BACK,
    WAITING,
    Audit,
    Change,
    champions,
    waiting_for,
)
from jmlr.registry.promotion.gates import Gate
from jmlr.registry.version.lookup import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Judged:
    """A challenger that went through the gates.

    Attributes:
        before: the champion's version it was compared with; None if there was none.
        after: the challenger's version.
        gates: what they found.
    """

    before: int | None
    after: int
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Whether all gates let it through."""
        return all(gate.passed for gate in self.gates)

    @property
    def is_open(self) -> bool:
        """Whether every failed gate may pass another time: the version is not judged yet."""
        return not self.passed and all(gate.passed or gate.may_pass for gate in self.gates)


class Registry:
    """The aliases and the audit of one registered model."""

    def __init__(self, client: MlflowClient, model: str) -> None:
        self.client, self.model = client, model
        self.audit = Audit(client, model, beside_store(client.tracking_uri, f"{model}.audit.jsonl"))

    def alias(self, name: str) -> int | None:
        """The version that the alias names, or None.

        Raises:
            RegistryError: if there is no such registered model.
        """
        from mlflow.exceptions import MlflowException

        try:
            aliases = self.client.get_registered_model(self.model).aliases
        except MlflowException as error:
            raise RegistryError(
                "no such registered model", expected="one version at least", where=self.model, next_step="jmlr register"
            ) from error
        return int(aliases[name]) if name in aliases else None

    def champion(self) -> int | None:
        """The champion's version, or None."""
        return self.alias(CHAMPION)

    def challenger(self) -> int | None:
        """The version registered last, or None."""
        return self.alias(CHALLENGER)

    def require_request(self, version: int) -> None:
        """Refuses an approval that nobody asked for.

        Raises:
            RegistryError: if `version` does not wait for approval.
        """
        if not waiting_for(self.audit.entries(), version):
            raise RegistryError(
                "no promotion of it waits for approval",
                expected="a version that passed the gates and waits",
                where=f"{self.model} version {version}",
                next_step="jmlr promote, which says what is to be approved",
            )

    def promote(self, judged: Judged, needs_approval: bool, note: str = "") -> tuple[str, Judged]:
        """Makes the challenger champion if all gates passed and the champion is still the one it was compared with.

        `needs_approval`: true: it only becomes a request.

        Returns:
            The outcome, `promoted`, `kept`, `waiting` or `not judged`, and the gates with the one on the champion if
            that has moved. What is not judged is no entry of the audit.
        """
        with alone(self.client, self.model):
            self.settle()
            now = self.champion()
            if now != judged.before:
                moved = f"version {now} became champion meanwhile; this one was compared with {judged.before or 'none'}"
                gate = Gate("champion_unchanged", False, now, judged.before, moved, may_pass=True)
                judged = replace(judged, gates=(*judged.gates, gate))
            change = Change(KEPT, now, judged.after, judged.gates, note)
            if judged.is_open:
                return NOT_JUDGED, judged
            if not judged.passed:
                self.audit.append(change)
                return KEPT, judged
            if needs_approval:
                self.audit.append(replace(change, action=WAITING))
                return WAITING, judged
            return self._move(replace(change, action=PROMOTING)), judged

    def roll_back(self, to: int | None, note: str = "") -> tuple[int | None, int]:
        """Makes an earlier champion the champion again.

        `to`: its version; None: the one before the present one.

        Returns:
            The champion's version before and after.

        Raises:
            RegistryError: if there was no such champion, or its version is gone.
        """
        self.champion()  # where there is no such model, this says so
        with alone(self.client, self.model):
            self.settle()
            now = self.champion()
            target = self._earlier(champions(self.audit.entries()), now, to)
            self._move(Change(ROLLING_BACK, now, target, note=note))
            return now, target

    def settle(self) -> None:
        """Adds what is missing in the audit: a promotion that was killed, an alias that was moved in MLflow."""
        entries = self.audit.entries()
        self.audit.bring_file_up_to_date()
        now = self.champion()
        if entries and entries[-1]["action"] in INTENTS:
            last = entries[-1]
            done = now == last["to"]
            note = f"entry {last['number']} was cut off {'after' if done else 'before'} the alias moved"
            action = INTENTS[last["action"]] if done else ABANDONED
            entries.append(self.audit.append(Change(action, last["from"], last["to"], note=note)))
        known = _champion_of(entries)
        if now != known:
            self.audit.append(Change(MOVED, known, now, note="the alias was moved by other means than jmlr"))

    def _move(self, change: Change) -> str:
        """The order matters: `settle` can tell where between two lines a process was killed."""
        self.audit.append(change)
        self.client.set_registered_model_alias(self.model, CHAMPION, str(change.after))
        done = INTENTS[change.action]
        self.audit.append(replace(change, action=done, gates=()))
        return done

    def _earlier(self, line: Sequence[int], now: int | None, to: int | None) -> int:
        """The version to go back to."""
        from mlflow.exceptions import MlflowException

        earlier = [version for version in line if version != now]
        if not earlier or (to is not None and to not in earlier):
            told = f"version {to} was never champion before" if earlier else "there was no champion before this one"
            raise RegistryError(
                told,
                expected=f"one of {', '.join(map(str, sorted(set(earlier))))}" if earlier else "two champions at least",
                where=f"{self.model}, champion {now or 'none'}",
                next_step="jmlr audit shows them; jmlr promote --version N takes another through the gates",
            )
        target = earlier[-1] if to is None else to
        try:
            self.client.get_model_version(self.model, str(target))
        except MlflowException as error:
            raise RegistryError(
                "it was deleted",
                expected="a version that is there",
                where=f"{self.model} version {target}",
                next_step="jmlr rollback --to N with another of jmlr audit",
            ) from error
        return target


def _champion_of(entries: Sequence[dict[str, Any]]) -> int | None:
    """The champion as the audit tells it."""
    moves = [entry["to"] for entry in entries if entry["action"] in (*INTENTS.values(), MOVED)]
    return moves[-1] if moves else None
