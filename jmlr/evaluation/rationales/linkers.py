"""Finders of medical concepts that need packages and data of their own: scispaCy with its UMLS linker, QuickUMLS.

Neither is a dependency: their models and databases come from outside the package index, and UMLS wants a licence.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from jmlr.errors import MissingResource

_THRESHOLD = 0.8
"""Jaccard similarity of a name found by QuickUMLS, at least; 0 to 1."""


def _package(name: str, next_step: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingResource(
            f"the package {name} is missing ({error})",
            expected="it and its models, to link texts to UMLS",
            next_step=f"{next_step}; or take a dictionary: medquad, tsv or titles",
        ) from error


class ScispacyExtractor:
    """Entities of a scispaCy model, each linked to its likeliest UMLS concept.

    `nested` is ignored: entities do not overlap.
    """

    def __init__(self, model: str) -> None:
        """Loads the model and the linker, which takes gigabytes of memory and fetches its tables at first use.

        Raises:
            MissingResource: if a package or the model is missing.
        """
        install = f"pip install scispacy, and the model {model} from scispaCy's releases"
        _package("scispacy.linking", install)
        spacy = _package("spacy", install)
        try:
            self._pipeline = spacy.load(model)
        except OSError as error:
            raise MissingResource(f"the spaCy model {model} is missing", next_step=install) from error
        self._pipeline.add_pipe("scispacy_linker", config={"resolve_abbreviations": True, "linker_name": "umls"})
        self._model = f"{model} {self._pipeline.meta.get('version', '')}".strip()

    def describe(self) -> dict[str, Any]:
        """The model and its version."""
        return {"extractor": f"scispacy {self._model}"}

    def extract(self, texts: Sequence[str], nested: bool = False) -> list[frozenset[str]]:
        """The ids (CUI) of the concepts each text names; see `ConceptExtractor`."""
        return [
            frozenset(entity._.kb_ents[0][0] for entity in document.ents if entity._.kb_ents)
            for document in self._pipeline.pipe(texts)
        ]


class QuickUmlsExtractor:
    """Names of UMLS found approximately by QuickUMLS."""

    def __init__(self, folder: str) -> None:
        """Opens a database made by `python -m quickumls.install` from one's own copy of UMLS.

        Raises:
            MissingResource: if the package or the database is missing.
        """
        install = "pip install quickumls, then python -m quickumls.install UMLS_FOLDER DATABASE_FOLDER"
        package = _package("quickumls", install)
        try:
            self._matcher = package.QuickUMLS(folder, threshold=_THRESHOLD)
        except OSError as error:
            raise MissingResource(f"no database ({error})", where=folder, next_step=install) from error

    def describe(self) -> dict[str, Any]:
        """The package and its threshold."""
        return {"extractor": "quickumls", "threshold": _THRESHOLD}

    def extract(self, texts: Sequence[str], nested: bool = False) -> list[frozenset[str]]:
        """The ids (CUI) of the concepts each text names; see `ConceptExtractor`."""
        return [
            frozenset(max(names, key=lambda name: (name["similarity"], name["cui"]))["cui"] for names in found if names)
            for found in (self._matcher.match(text, best_match=not nested, ignore_syntax=False) for text in texts)
        ]
