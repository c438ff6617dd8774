"""Where models run."""

from __future__ import annotations

import torch


def best() -> torch.device:
    """A GPU where torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
