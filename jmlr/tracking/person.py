"""Who does something that is written down."""

from __future__ import annotations

import getpass
import subprocess

from jmlr.tracking.provenance import UNKNOWN


def who() -> str:
    """The name that git knows this person by, else the login's; `unknown` where there is neither."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=True, timeout=30)
        if name := done.stdout.strip():
            return name
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return UNKNOWN
