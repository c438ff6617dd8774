"""What the stages say goes through one console."""

from __future__ import annotations

from rich.console import Console

CONSOLE = Console(markup=False, highlight=False, soft_wrap=True)
"""Prints text as it is: brackets and numbers of the data are no markup, and long lines stay whole."""
