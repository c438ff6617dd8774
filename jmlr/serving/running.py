"""Servers of this checkout that run now: each leaves a note, and `jmlr ask` asks one that has its pair."""

from __future__ import annotations

import http
import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jmlr.files import read_json, write_json
from jmlr.types import Question

FOLDER = Path(".servers")
_ANSWER_SECONDS, _FIND_SECONDS = 60.0, 1.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Addresses that a server listens on, and those that it is called by on its own machine."""


@contextmanager
def announced(address: str, pair_hash: str | None) -> Iterator[None]:
    """Within, a note says that this process serves the pair at `address`."""
    note = FOLDER / f"serve-{os.getpid()}.json"
    told = {"address": address, "pid": os.getpid(), "pair_hash": pair_hash, "release": version("jmlr")}
    write_json(note, told)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def ask(question: Question, hash_of_pair: Callable[[], str | None]) -> tuple[str, dict[str, Any]] | None:
    """The address of a running server of the pair, and its reply as JSON; None where none answers.

    Args:
        question: what is asked.
        hash_of_pair: the pair's hash, which takes time and is only asked for where a server runs; None: no such pair.
    """
    wanted: str | None = None
    for note in sorted(FOLDER.glob("serve-*.json")):
        told = read_json(note, f"remove {note}")
        address = str(told.get("address"))
        for listening, called in _ANYWHERE.items():
            address = address.replace(f"//{listening}:", f"//{called}:")
        served = _call(address, "/v1/models", None) if told.get("release") == version("jmlr") else None
        if served is None:
            continue
        wanted = wanted or hash_of_pair()
        if wanted is None or served["models"][0]["pair_hash"] != wanted:
            continue
        body = {"question": question.text, "options": list(question.options), "passages": 0}
        if (reply := _call(address, "/v1/answer", body)) is not None:
            return address, reply
    return None


def _call(address: str, path: str, body: object) -> dict[str, Any] | None:
    """What the server answers, or None: it is gone, busy, or refuses the question."""
    timeout = _FIND_SECONDS if body is None else _ANSWER_SECONDS
    # Not urllib: it would send this through a proxy.
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        found = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found if response.status == http.HTTPStatus.OK and isinstance(found, dict) else None
