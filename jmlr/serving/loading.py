"""Versions of the registry, and pairs of a build, loaded to be asked."""

from __future__ import annotations

from pathlib import Path

from jmlr.answering.answerer import Answerer, load_searcher, with_words
from jmlr.data.tables import read_passages
from jmlr.files import read_json, reading
from jmlr.registry.version.contents import Abstaining
from jmlr.registry.version.lookup import files, resolve
from jmlr.registry.version.pair import PAIR_HASH_TAG, Pair
from jmlr.serving.model import Label, ServedModel
from jmlr.settings import Settings
from jmlr.tracking.store import connect

_EVALUATE = "dvc repro evaluate"


def load_version(spec: str, current: Settings) -> ServedModel:
    """A version of the registered model, with the settings it was made with.

    Args:
        spec: `3`, `@champion`, `models:/NAME/3` or `models:/NAME@ALIAS`.
        current: settings of this checkout; they give the model's name, and what a version from before lacks.

    Raises:
        RegistryError: if there is no such version, or its files are gone.
        FingerprintMismatch: if its index, retriever and passages do not belong together.
        ConfigError: if this code does not know its settings.
        MissingResource: if the store does not answer.
    """
    client = connect()
    version = resolve(client, current.track.registered_model, spec)
    contents = files(client, version)
    alias = spec.rsplit("@", 1)[1] if "@" in spec else ""
    hash_kept = version.tags.get(PAIR_HASH_TAG) or contents.pair.pair_hash()
    label = Label(version.name, str(version.number), alias or "version", hash_kept)
    return load_pair(contents.pair, label, contents.abstaining, current)


def load_pair(pair: Pair, label: Label, abstaining: Abstaining, current: Settings) -> ServedModel:
    """A pair, wherever its files lie.

    Raises:
        RegistryError: if a file of the pair is missing.
        FingerprintMismatch: if its index, retriever and passages do not belong together.
        ConfigError: if this code does not know its settings.
    """
    pair.require()
    settings = pair.settings(current)
    passages = read_passages(pair.passages)
    searcher = load_searcher(pair.retriever, pair.index, passages, settings)
    answerer = Answerer.load_reader(pair.reader, passages, settings, with_words(searcher, passages, settings))
    return ServedModel(label, answerer, abstaining, searcher.retriever)


def load_closed_book(reader: Path, name: str, settings: Settings) -> ServedModel:
    """The reader that was trained without passages and answers without them.

    Raises:
        MissingResource: if it is not there.
    """
    return ServedModel(Label(name, None, "closed book", None, reads=False), Answerer.load_reader(reader, (), settings))


def read_abstaining(metrics: Path, arm: str = "jmlr") -> Abstaining:
    """How sure an answer must be, as an evaluation chose it; where there is none, no answer is held back."""
    found = read_json(metrics, _EVALUATE)
    with reading(metrics, _EVALUATE):
        return Abstaining.of_metrics(found, arm) if found else Abstaining()
