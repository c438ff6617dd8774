"""An untrained reader on the current test questions with the current retriever's passages."""

from __future__ import annotations

import re
from pathlib import Path

from jmlr import fingerprint
from jmlr.commands.evaluate.alone import Contender, evaluate_alone, folder_of, show
from jmlr.errors import ConfigError
from jmlr.models import hub
from jmlr.settings import Settings
from jmlr.stages import layout


def run(settings: Settings, reader: str, revision: str | None = None, name: str = "") -> None:
    """Evaluates a reader into build/evaluations/NAME, under the arm `untrained`, and prints the result.

    It reads what the trained retriever finds (before training: the base one), in the same prompt as all others.

    `reader`: a folder, or a hub id. `revision`: commit hash of a hub model. `name`: of the folder; empty: the last part
    of the reader's name.

    Raises:
        ConfigError: if it is no folder and no revision is given.
        MissingResource: if it cannot be had, or is no causal language model.
        UntrustedModel: if it asks for code of its own.
        FingerprintMismatch: if the index is not the retriever's.
    """
    place = _fetch(reader, revision)
    folder = folder_of(name or _plain_name(reader))
    told = {"reader": reader, "reader_revision": revision or "", "reader_hash": fingerprint.of_folder(place)}
    trained = layout.TRAINED_RETRIEVER.exists() and layout.TRAINED_INDEX.exists()
    contender = Contender(
        arm="untrained",
        reader=place,
        retriever=layout.TRAINED_RETRIEVER if trained else layout.BASE_RETRIEVER,
        index=layout.TRAINED_INDEX if trained else layout.INDEX,
        passages=layout.PASSAGES,
        ranking="after" if trained else "before",
        told=told,
        name=f"The reader {reader}",
    )
    show(evaluate_alone(settings, contender, folder), folder)


def _fetch(reader: str, revision: str | None) -> Path:
    if Path(reader).is_dir():
        return Path(reader)
    if revision is None:
        raise ConfigError(
            "no such folder, and a hub model without a revision",
            expected="a folder with a saved reader, or a hub id and its --revision (a commit hash)",
            where=f"--reader {reader}",
        )
    return hub.snapshot(reader, revision, "reader", f"--reader {reader}")


def _plain_name(reader: str) -> str:
    """The last part of a folder or hub id as a name of a folder.

    >>> _plain_name("meta-llama/Llama-2-7b-hf"), _plain_name("build/base/reader/")
    ('Llama-2-7b-hf', 'reader')
    """
    return re.sub(r"[^\w.-]+", "-", Path(reader).name).lstrip(".-") or "reader"
