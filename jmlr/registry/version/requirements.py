"""What a version needs to be loaded elsewhere: the packages that answering uses, and the versions all of theirs had."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement

ANSWERING = "torch transformers colbert-ai faiss-cpu bm25s pystemmer peft pydantic".split()
ANSWERING += "pyarrow pandas pyyaml numpy tqdm ftfy".split()


def pinned(names: Iterable[str] = ANSWERING) -> list[str]:
    """The installed versions of `names`; the project's own code travels with the model."""
    return [f"{name}=={_version(name)}" for name in names]


def constraints(names: Iterable[str] = ANSWERING) -> list[str]:
    """The installed versions of all that `names` need, and what that needs, sorted: a lock of this environment.

    >>> [line.split("==")[0] for line in constraints(["pandas"])]
    ['numpy', 'pandas', 'python-dateutil', 'six']
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        try:
            known = metadata.metadata(name)["Name"].lower().replace("_", "-")
        except metadata.PackageNotFoundError:
            continue  # wanted on another system, or by an extra
        if known not in found:
            found[known] = _version(name)
            needs = map(Requirement, metadata.requires(name) or ())
            waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _version(name: str) -> str:
    """Without the local part: torch's +cpu is on no package index."""
    return metadata.version(name).split("+")[0]
