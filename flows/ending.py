"""What every `python -m flows.NAME` shares, without Prefect: reading its arguments and ending on an error."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from jmlr.errors import JmlrError


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m flows.NAME`, whose help is the module's text."""
    raw = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"python -m flows.{name}", description=doc, formatter_class=raw)


def positive(word: str) -> float:
    """A finite number above 0.

    Raises:
        ArgumentTypeError: if it is none.
    """
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{word!r} is no number above 0")
    return number


def count(word: str) -> int:
    """A whole number above 0.

    Raises:
        ArgumentTypeError: if it is none.
    """
    if not positive(word).is_integer():
        raise argparse.ArgumentTypeError(f"{word!r} is no whole number")
    return int(positive(word))


@contextmanager
def ending_plainly() -> Iterator[None]:
    """Ends the program with exit status 2 and one message, without a traceback, on an error a person can fix."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (JmlrError, OSError, httpx.HTTPError)) and "prefect" not in type(error).__module__:
            raise
        sys.stderr.write(f"error: {error if isinstance(error, JmlrError) else f'{type(error).__name__}: {error}'}\n")
        sys.exit(2)
