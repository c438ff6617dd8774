"""version.json: what a version must know of itself to answer truthfully, written once when it is registered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jmlr.answering.answered import TEMPERATURE_RANGE
from jmlr.errors import RegistryError
from jmlr.files import write_json
from jmlr.registry.version.index_store import StoredIndex


@dataclass(frozen=True)
class Abstaining:
    """How sure an answer must be, as the evaluation chose it on the split dev.

    Attributes:
        temperature: that confidences are taken at, above 0; 1 where none was fitted, so that nothing is calibrated.
        threshold: the least confidence that is answered, 0 to 1; None: none reaches the wanted accuracy.
        wanted_accuracy: of what is answered, 0 to 1.
    """

    temperature: float = 1.0
    threshold: float | None = None
    wanted_accuracy: float | None = None

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any], arm: str) -> Abstaining:
        """What metrics.json says of an arm; one without a threshold where it says nothing.

        Every split of an evaluation has the same, but for dev, on which it is chosen and where it is not reported.
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
        """Probability of the likeliest option at the temperature if it calibrates, else as said; 1 / options to 1.

        >>> round(Abstaining().confidence([-1.0, -2.0]), 3), round(Abstaining(2.0).confidence([-1.0, -2.0]), 3)
        (0.731, 0.622)
        """
        best, temperature = max(option_scores), self.temperature if self.calibrated else 1.0
        return 1 / sum(math.exp((score - best) / temperature) for score in option_scores)

    def abstains(self, confidence: float) -> bool | None:
        """Whether an answer is too unsure; None: no threshold keeps the promise, so nothing is promised.

        >>> Abstaining(threshold=0.7).abstains(0.6), Abstaining().abstains(0.6)
        (True, None)
        """
        return None if self.threshold is None else confidence < self.threshold


@dataclass(frozen=True)
class Facts:
    """What version.json holds.

    Attributes:
        unit_hash: of all that was registered: files, the settings that answer, the evaluation.
        pair_hash: of models, index and passages.
        run_id: the MLflow run that trained the pair.
        abstaining: when the version says that it is unsure.
        index: where index and passages are kept once for several versions; None: they lie in the version.
        pair_hash_rule: by which `pair_hash` was made; 1 where version.json does not say.
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
