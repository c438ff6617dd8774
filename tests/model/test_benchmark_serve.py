"""The serving benchmark: every question it asks is counted once, as answered, refused or failed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import serve

    return serve


@pytest.fixture
def address() -> Iterator[str]:
    """A server that does with a question what its text says: a status, or `drop` to close the connection."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["question"]
            if wish == "drop":
                self.connection.close()
                return
            self.send_response(int(wish.removesuffix("!")))
            if wish.endswith("!"):
                self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_every_question_is_answered_refused_or_failed(serve: ModuleType, address: str) -> None:
    wishes = ["200", "503!", "503", "500", "drop"]
    row = asyncio.run(serve.drive(address, [{"question": wish} for wish in wishes], 50.0, 0.4))
    counts = [row[name] for name in ("asked", "answered", "refused", "failed")]
    assert counts == [20, 4, 4, 12]
    driven = serve.Driven(**row, arm="in batches", load=2.0, cpu_seconds_per_answer=0.05)
    table = serve.tables.serve({"rows": [asdict(driven)]})
    assert "| 2x | in batches | " in table
    assert "| 20% | 12 |" in table
    assert "| 0.050 s |" in table


def test_capacity_is_what_one_patient_client_gets(serve: ModuleType, address: str) -> None:
    assert asyncio.run(serve.one_after_another(address, [{"question": "200"}], 0.2)) > 1
