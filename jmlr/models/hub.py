"""Models of a hub: the files of one pinned revision as a folder, without any code or pickle."""

from __future__ import annotations

from pathlib import Path

from jmlr.errors import MissingResource

_PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors"]


def snapshot(model: str, revision: str | None, role: str, where: str) -> Path:
    """The folder of a pinned revision, fetched if it is not in the local cache.

    Args:
        model: the hub id.
        revision: a commit hash.
        role: retriever or reader, for messages.
        where: who named it, for messages.

    Raises:
        MissingResource: if it is neither in the cache nor to be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_PATTERNS))
    except (OSError, HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise MissingResource(
            f"the {role} {model} at {revision} cannot be fetched ({type(error).__name__})",
            expected="a reachable model hub, or the model in its local cache",
            where=where,
            next_step="run where the hub is reachable with HF_HUB_OFFLINE=0, or `dvc exp run -S recipe=starter`",
        ) from error
