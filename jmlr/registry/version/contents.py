"""What a version holds, and under which names: the pair, its evaluation, the model card and version.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from jmlr import fingerprint
from jmlr.answering.answered import TEMPERATURE_RANGE
from jmlr.errors import RegistryError
from jmlr.files import link, write_json, write_text
from jmlr.registry.version.index_store import INDEX_FOLDER, PASSAGES_FILE, StoredIndex, keep
from jmlr.registry.version.pair import HASH_RULE, Pair

CARD_FILE, EVALUATION_FOLDER, METRICS_FILE = "model_card.md", "evaluation", "metrics.json"
_REGISTERED_AS = "registered_model_meta"  # MLflow writes it beside MLmodel when it loads a version
_ANSWERING: dict[str, Any] = {
    "prompt": True,
    "index": {"hybrid", "candidates", "query_tokens", "passage_tokens", "backend"},
    "train": {"read_passages": True, "reader": {"attention", "dtype"}},
}


@dataclass(frozen=True)
class Abstaining:
    """How sure an answer must be, as the evaluation chose it on the split dev.

    Attributes:
        temperature: at which confidences are computed, above 0; 1 if none was fitted, so that nothing is calibrated.
        threshold: the least confidence that is answered, 0 to 1; None: none reaches the wanted accuracy.
        wanted_accuracy: of the answers that are given, 0 to 1.
    """

    temperature: float = 1.0
    threshold: float | None = None
    wanted_accuracy: float | None = None

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any], arm: str) -> Abstaining:
        """What metrics.json says of an arm; without a threshold if it says nothing.

        Every split of an evaluation has the same, except dev, on which it is chosen and where it is not reported.
        """
        for split, measured in metrics.items():
            if split != "dev" and (found := measured.get("confidence", {}).get(arm)):
                chosen = found["abstention"]["abstaining"]
                return cls(found["temperature"] or 1.0, chosen["threshold"], chosen["wanted_accuracy"])
        return cls()

    @property
    def calibrated(self) -> bool:
        """Whether a temperature was fitted, and not on so few questions that it ran into an end of its range."""
        return self.temperature not in (1.0, *TEMPERATURE_RANGE)

    def confidence(self, option_scores: Sequence[float]) -> float:
        """Probability of the likeliest option, at the temperature if it calibrates; 1 / options to 1.

        >>> round(Abstaining().confidence([-1.0, -2.0]), 3), round(Abstaining(2.0).confidence([-1.0, -2.0]), 3)
        (0.731, 0.622)
        """
        best, temperature = max(option_scores), self.temperature if self.calibrated else 1.0
        return 1 / sum(math.exp((score - best) / temperature) for score in option_scores)

    def abstains(self, confidence: float) -> bool | None:
        """Whether an answer is too unsure; None: there is no threshold, so nothing is promised.

        >>> Abstaining(threshold=0.7).abstains(0.6), Abstaining().abstains(0.6)
        (True, None)
        """
        return None if self.threshold is None else confidence < self.threshold


@dataclass(frozen=True)
class Facts:
    """The content of version.json: what a version must know of itself to answer truthfully.

    Attributes:
        unit_hash: of all that was registered: files, the settings that answer, the evaluation.
        pair_hash: of models, index and passages.
        run_id: the MLflow run that trained the pair.
        abstaining: when the version says that it is unsure.
        index: where index and passages are kept once for several versions; None: they lie in the version.
        pair_hash_rule: by which `pair_hash` was made; 1 if version.json does not say.
    """

    unit_hash: str
    pair_hash: str
    run_id: str
    abstaining: Abstaining
    index: StoredIndex | None = None
    pair_hash_rule: int = 1

    FILE = "version.json"

    def write(self, folder: Path) -> None:
        """Writes version.json into `folder`."""
        write_json(folder / self.FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Facts | None:
        """What version.json in `folder` says; None in a version from before there was one.

        Raises:
            RegistryError: if it is not what `write` wrote.
        """
        file = folder / cls.FILE
        if not file.exists():
            return None
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
            index = StoredIndex(**raw.pop("index")) if raw["index"] else raw.pop("index")
            return cls(**{**raw, "abstaining": Abstaining(**raw["abstaining"])}, index=index)
        except (ValueError, TypeError, KeyError) as error:
            raise RegistryError(
                f"not the facts of a version ({error})",
                expected="what jmlr register of this release, or one before it, wrote",
                where=str(file),
                next_step="use the code that it was registered with (its tag git_commit), or register the pair again",
            ) from error


@dataclass(frozen=True)
class Contents:
    """What one version holds: one that is to be registered, or one whose files lie on this machine.

    Attributes:
        pair: the files that answer.
        evaluation: folder with metrics.json, protocol.json, claim_card.md and report.html of this very pair; a version
            from before it was kept has no such folder.
        abstaining: when an answer is too unsure.
        index_store: where the index of a new version is kept for several versions; None: inside each of them.
        facts: of a registered version; None in one from before there was version.json.
    """

    pair: Pair
    evaluation: Path
    abstaining: Abstaining = Abstaining()
    index_store: Path | None = None
    facts: Facts | None = None

    @property
    def card(self) -> Path:
        """The model card of a registered version; one from before it was kept has no such file."""
        return self.pair.params.with_name(CARD_FILE)

    def identity(self) -> dict[str, str | None]:
        """`name` and `version` as which MLflow loaded it (None: not from the registry), `pair_hash` and `run_id`."""
        file = self.pair.params.parent.parent / _REGISTERED_AS
        registered = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        number = registered.get("model_version")
        return {
            "name": registered.get("model_name"),
            "version": None if number is None else str(number),
            "pair_hash": self.facts.pair_hash if self.facts else None,
            "run_id": self.facts.run_id if self.facts else None,
        }

    def require(self) -> None:
        """Raise unless all files that are registered are there.

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
        """SHA-256 (hex) over the pair, the settings that it answers with, and its metrics."""
        answering = self.pair.settings().model_dump(include=_ANSWERING, mode="json")
        return fingerprint.of_json([pair_hash, answering, fingerprint.of_file(self.evaluation / METRICS_FILE)])

    def find_facts(self, run_id: str) -> Facts:
        """What a new version is to know of itself; puts the index into its store if there is one.

        Raises:
            RegistryError: if a file is missing.
            FingerprintMismatch: if the store has another index under the same name.
        """
        self.require()
        pair_hash = self.pair.pair_hash()
        stored = keep(self.pair.index, self.pair.passages, self.index_store) if self.index_store else None
        return Facts(self.unit_hash(pair_hash), pair_hash, run_id, self.abstaining, stored, HASH_RULE)

    @contextmanager
    def laid_out(self, facts: Facts, card: str) -> Iterator[dict[str, str]]:
        """The files under their names in a version; they are links, because MLflow copies them."""
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


def open_folder(folder: Path) -> Contents:
    """What a version's folder of artifacts holds; an index that is kept elsewhere is found and checked.

    Raises:
        RegistryError: if a file or the index store's entry is missing.
        FingerprintMismatch: if that entry was changed.
    """
    facts = Facts.read(folder)
    knowledge = facts.index.folder() if facts and facts.index else folder
    models = folder / "retriever", folder / "reader"
    pair = Pair(*models, knowledge / INDEX_FOLDER, knowledge / PASSAGES_FILE, folder / "params.yaml")
    pair.require()
    abstaining = facts.abstaining if facts else Abstaining()
    return Contents(pair, folder / EVALUATION_FOLDER, abstaining, facts=facts)
