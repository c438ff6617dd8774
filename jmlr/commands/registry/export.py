"""Writes a version in the form its authors publish: the reader's folder, and in it `ir/` with the ColBERT checkpoint.

transformers loads the reader and colbert-ai the retriever, each without this project.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from jmlr.console import CONSOLE
from jmlr.errors import RegistryError
from jmlr.files import making, write_text
from jmlr.registry.version.contents import Contents
from jmlr.registry.version.lookup import files, resolve
from jmlr.settings import Settings
from jmlr.tracking.store import connect

RETRIEVER_FOLDER, README_FILE, PARAMS_FILE = "ir", "README.md", "params.yaml"

_FRONT_MATTER = """\
---
library_name: transformers
pipeline_tag: question-answering
tags: [jmlr, colbert, retrieval, medical]
license: other
license_name: see-the-model-card
---

"""

_USE = f"""
## How to load it

    from transformers import AutoModelForCausalLM, AutoTokenizer
    reader, tokenizer = AutoModelForCausalLM.from_pretrained(FOLDER), AutoTokenizer.from_pretrained(FOLDER)

    import os
    from colbert.infra import ColBERTConfig
    from colbert.modeling.checkpoint import Checkpoint
    folder = os.path.abspath(FOLDER + "/{RETRIEVER_FOLDER}")
    retriever = Checkpoint(folder, ColBERTConfig.load_from_checkpoint(folder))

Adapters that the reader was trained with are merged into its weights. `{PARAMS_FILE}` has the settings of the prompt,
with which answers are those of the evaluation. The index is not included: it is made of your own passages. `jmlr import
FOLDER` takes this folder into a project.
"""


def run(settings: Settings, folder: Path, spec: str) -> None:
    """Writes the reader into `folder`, the retriever into its `ir/`, and a README with the model card.

    Raises:
        RegistryError: if there is no such version, or something is at `folder`.
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    write(files(client, version), folder)
    CONSOLE.print(f"{version} -> {folder} (reader; its retriever in ir/; README.md)")


def write(contents: Contents, folder: Path) -> None:
    """Writes a version's models with their card into the new folder `folder`, whole or not at all.

    Raises:
        RegistryError: if there is something at `folder`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RegistryError(
            "there is something already", expected="a new folder", where=str(folder), next_step="name another folder"
        )
    card, pair = "# A retriever and a reader trained together\n", contents.pair
    if contents.card.exists():
        card = contents.card.read_text(encoding="utf-8")
    with making(folder) as unfinished:
        shutil.copytree(pair.reader, unfinished, dirs_exist_ok=True)
        shutil.copytree(pair.retriever, unfinished / RETRIEVER_FOLDER)
        shutil.copyfile(pair.params, unfinished / PARAMS_FILE)
        write_text(unfinished / README_FILE, _FRONT_MATTER + card + _USE)
