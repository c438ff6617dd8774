"""`jmlr refresh`: the models of a version with an index of the current passages, without training."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict

import yaml

from jmlr.commands.passages.refreshed import Refreshed, refreshed_pair
from jmlr.console import CONSOLE
from jmlr.data.tables import read_passages
from jmlr.data.withdrawal import WITHDRAWN_FILE, read, standing
from jmlr.errors import DataError, RegistryError
from jmlr.files import link, replacing, write_text
from jmlr.index.refresh import refresh
from jmlr.registry.version.lookup import Version, challenger_and_champion, files, resolve, spec_of
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.store import connect
from jmlr.types import Passage

_VALIDATE = "dvc repro validate"


def run(settings: Settings, version: str = "") -> None:
    """Makes build/refreshed: an index of build/ingest's passages for the models of a version, with its settings.

    Both models stay as they are, and so do build/train and build/index. Only texts that the version's index does not
    contain are encoded. The same again gives the same.

    `version`: a number, an alias or models:/NAME/NUMBER; empty: the champion, or the newest if there is none.

    Raises:
        DataError: if the passages are not validated, or contain what is withdrawn.
        RegistryError: if there is no such version.
        FingerprintMismatch: if the version's index is not its retriever's.
    """
    passages = _valid_passages()
    client, name = connect(), settings.track.registered_model
    source = resolve(client, name, spec_of(version)) if version else _default(name)
    its = files(client, source).pair
    its_settings = its.settings(settings)
    layout.REFRESHED_RECORD.unlink(missing_ok=True)  # before what it tells of is changed
    shutil.rmtree(layout.REFRESHED_INDEX, ignore_errors=True)
    link(its.index, layout.REFRESHED_INDEX)
    changes = refresh(its.retriever, passages, its_settings.index, layout.REFRESHED_INDEX, its_settings.seed)
    with replacing(layout.REFRESHED_PASSAGES) as unfinished:
        shutil.copyfile(layout.PASSAGES, unfinished)
    text = yaml.safe_dump(its_settings.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    write_text(layout.REFRESHED_PARAMS, text)
    made = Refreshed(source.name, source.number, refreshed_pair(its).pair_hash(), asdict(changes))
    made.write()
    CONSOLE.print(f"{source} -> {layout.REFRESHED}: {changes}")
    if not made.is_other:
        CONSOLE.print("It has these passages already: there is nothing to evaluate or register.")


def _valid_passages() -> Sequence[Passage]:
    if not layout.PASSED.exists():
        raise DataError("the passages are not validated", where=str(layout.PASSED), next_step=_VALIDATE)
    passages, withdrawn = read_passages(layout.PASSAGES), standing(read())
    for one in passages:
        if entries := withdrawn.entries_of(one.passage_id, one.document_id, one.source):
            raise DataError(
                f"{one.passage_id} is there, but withdrawn ({entries[0]}: {entries[0].reason})",
                expected=f"passages without what {WITHDRAWN_FILE} names",
                where=str(layout.PASSAGES),
                next_step=_VALIDATE,
            )
    return passages


def _default(name: str) -> Version:
    """The champion, or the version registered last if there is none."""
    challenger, champion = challenger_and_champion(name)
    chosen = champion or challenger
    if chosen is None:
        raise RegistryError("no version", where=f"registered model {name}", next_step="jmlr register")
    return chosen
