"""What training left in build/train, as the pair that is asked, served and registered."""

from __future__ import annotations

from jmlr.registry.version.pair import Pair
from jmlr.settings.params import PARAMS_FILE
from jmlr.stages import layout


def trained_pair() -> Pair:
    """The pair of this checkout; whether its files are there is for the caller to ask."""
    return Pair(layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES, PARAMS_FILE)
