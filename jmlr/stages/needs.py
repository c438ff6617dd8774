"""What the stages ahead need, looked at before the first of them: hours later would be late."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from jmlr import fingerprint
from jmlr.errors import MissingResource
from jmlr.settings import Settings
from jmlr.validation.expectations import refuse_unknown_severities

BEFORE_TRAINING = ("ingest", "validate", "base", "index")
"""The stages before which this is asked; the training refuses by itself."""


def check(settings: Settings) -> None:
    """Refuses what no machine can do, and says on stderr what this one lacks for the training.

    Raises:
        ConfigError: if `validate.severities` names what is no expectation.
        MissingResource: if a base model is a folder that is not there.
    """
    refuse_unknown_severities(settings.validate_)
    for role, source in (("retriever", settings.base.retriever.source), ("reader", settings.base.reader.source)):
        if fingerprint.is_folder(source) and not Path(source).is_dir():
            raise MissingResource(
                f"no folder {source}",
                expected="a model's folder, as `jmlr import` makes one",
                where=f"params.yaml, base.{role}.source",
                next_step="jmlr import FOLDER, or name a hub model and its revision",
            )
    for lack in missing(settings):
        sys.stderr.write(f"warning: {lack}; the stages before it run, the stage train will refuse\n")


def missing(settings: Settings) -> list[str]:
    """What the stage train needs by the settings and this machine does not have, one sentence each."""
    reader, found = settings.train.reader, []
    if settings.train.needs_gpu or reader.quantise is not None:
        import torch

        key = "needs_gpu" if settings.train.needs_gpu else "reader.quantise"
        if not torch.cuda.is_available():
            found.append(f"train.{key}: torch sees no GPU here")
    if reader.quantise is not None and importlib.util.find_spec("bitsandbytes") is None:
        found.append("train.reader.quantise: the package bitsandbytes is not installed (pip install bitsandbytes)")
    return found
