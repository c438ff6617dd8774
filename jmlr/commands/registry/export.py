"""Writes a registered version in the form that transformers and colbert-ai load by themselves."""

from __future__ import annotations

from pathlib import Path

from jmlr.console import CONSOLE
from jmlr.registry.version import published
from jmlr.registry.version.lookup import files, resolve
from jmlr.settings import Settings
from jmlr.tracking.store import connect


def run(settings: Settings, folder: Path, spec: str) -> None:
    """Writes the reader into `folder`, the retriever into its `ir/`, and a README with the model card.

    Raises:
        RegistryError: if there is no such version, or something is at `folder`.
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    published.write(files(client, version), folder)
    CONSOLE.print(f"{version.name} version {version.version} -> {folder} (reader; its retriever in ir/; README.md)")
