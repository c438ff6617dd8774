"""What one version holds, and under which names: models, index, settings, evaluation, model card, facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from jmlr import fingerprint
from jmlr.errors import RegistryError
from jmlr.files import link, write_text
from jmlr.registry.version.facts import Abstaining, Facts
from jmlr.registry.version.index_store import INDEX_FOLDER, PASSAGES_FILE, keep
from jmlr.registry.version.pair import HASH_RULE, Pair

CARD_FILE, EVALUATION_FOLDER, METRICS_FILE = "model_card.md", "evaluation", "metrics.json"
_REGISTERED_AS = "registered_model_meta"  # MLflow writes it beside MLmodel when it loads a version
_ANSWERING: dict[str, Any] = {
    "prompt": True,
    "index": {"hybrid", "candidates", "query_tokens", "passage_tokens", "backend"},
    "train": {"read_passages": True, "reader": {"attention", "dtype"}},
}


@dataclass(frozen=True)
class Unit:
    """What is registered as one version.

    Attributes:
        pair: the files that answer.
        evaluation: folder with metrics.json, protocol.json, claim_card.md and report.html of this very pair.
        abstaining: when it is too unsure.
        index_store: where the index is kept for several versions; None: inside each of them.
    """

    pair: Pair
    evaluation: Path
    abstaining: Abstaining
    index_store: Path | None = None

    def require(self) -> None:
        """Raise unless all files are there.

        Raises:
            RegistryError: naming the first that is missing.
        """
        self.pair.require()
        if not (self.evaluation / METRICS_FILE).exists():
            raise RegistryError(
                "missing",
                expected="an evaluated pair",
                where=str(self.evaluation / METRICS_FILE),
                next_step="dvc repro evaluate",
            )

    def unit_hash(self, pair_hash: str) -> str:
        """SHA-256 (hex) over the pair, the settings that it answers with and its metrics: equal for equal units."""
        answering = self.pair.settings().model_dump(include=_ANSWERING, mode="json")
        return fingerprint.of_json([pair_hash, answering, fingerprint.of_file(self.evaluation / METRICS_FILE)])

    @contextmanager
    def staged(self, facts: Facts, card: str) -> Iterator[dict[str, str]]:
        """The version's files under the names they get in it; they are links, since MLflow copies them.

        Args:
            facts: what the version knows of itself.
            card: the model card, Markdown.
        """
        named = {
            "retriever": self.pair.retriever,
            "reader": self.pair.reader,
            "params.yaml": self.pair.params,
            EVALUATION_FOLDER: self.evaluation,
        }
        if facts.index is None:
            named |= {INDEX_FOLDER: self.pair.index, PASSAGES_FILE: self.pair.passages}
        with TemporaryDirectory(prefix=".version-", dir=self.evaluation.parent) as place:
            folder = Path(place)
            for name, source in named.items():
                link(source, folder / name)
            facts.write(folder)
            write_text(folder / CARD_FILE, card)
            yield {path.stem: str(path) for path in sorted(folder.iterdir())}

    def facts(self, run_id: str) -> Facts:
        """What the version is to know of itself; puts the index into its store where there is one.

        Raises:
            RegistryError: if a file of the unit is missing.
            FingerprintMismatch: if the store has another index under the same name.
        """
        self.require()
        pair_hash = self.pair.pair_hash()
        stored = keep(self.pair.index, self.pair.passages, self.index_store) if self.index_store else None
        return Facts(self.unit_hash(pair_hash), pair_hash, run_id, self.abstaining, stored, HASH_RULE)


@dataclass(frozen=True)
class Opened:
    """A version's files as they lie on this machine.

    Attributes:
        pair: models, index, passages and params.yaml.
        facts: None in a version from before they were kept.
        evaluation: folder of the evaluation; None likewise.
        card: the model card; None likewise.
        model_folder: the folder with MLmodel.
    """

    pair: Pair
    facts: Facts | None
    evaluation: Path | None
    card: Path | None
    model_folder: Path

    @property
    def abstaining(self) -> Abstaining:
        """When an answer is too unsure; without a threshold in a version from before there was one."""
        return self.facts.abstaining if self.facts else Abstaining()

    def identity(self) -> dict[str, str | None]:
        """`name` and `version` as which MLflow loaded it (None: not from the registry), `pair_hash` and `run_id`."""
        file = self.model_folder / _REGISTERED_AS
        registered = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        number = registered.get("model_version")
        return {
            "name": registered.get("model_name"),
            "version": None if number is None else str(number),
            "pair_hash": self.facts.pair_hash if self.facts else None,
            "run_id": self.facts.run_id if self.facts else None,
        }


def open_folder(folder: Path) -> Opened:
    """The files in a version's folder of artifacts, an index that is kept elsewhere found and checked.

    Raises:
        RegistryError: if a file or the index store's entry is missing.
        FingerprintMismatch: if that entry was changed.
    """
    facts = Facts.read(folder)
    knowledge = facts.index.folder() if facts and facts.index else folder
    pair = Pair(
        folder / "retriever",
        folder / "reader",
        knowledge / INDEX_FOLDER,
        knowledge / PASSAGES_FILE,
        folder / "params.yaml",
    )
    pair.require()
    evaluation, card = folder / EVALUATION_FOLDER, folder / CARD_FILE
    return Opened(
        pair, facts, evaluation if evaluation.is_dir() else None, card if card.exists() else None, folder.parent
    )
