"""The judge against a real HTTP server on this machine that plays the endpoint."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient, Endpoint
from jmlr.evaluation.rationales.chat_judge.log import Judgement
from jmlr.evaluation.rationales.chat_judge.pairs import Comparison, judge
from jmlr.types import Question

SECRET = "sk-very-secret-0123456789"
HEAD = {"Content-Type": "application/json"}
Response = tuple[int, dict[str, str], bytes]
Player = Callable[["Played"], Response]


class Played:
    """One request as the endpoint saw it."""

    def __init__(self, number: int, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.number, self.path, self.headers, self.body = number, path, headers, body

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][1]["content"])

    def explanation(self, place: str) -> str:
        pattern = rf"=== explanation {place}, begin (\w+) ===\n(.*)\n=== explanation {place}, end \1 ==="
        found = re.search(pattern, self.prompt, re.DOTALL)
        assert found, self.prompt
        return found[2]


def completion(text: str | None, **more: Any) -> Response:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}], **more}
    return 200, HEAD, json.dumps(body).encode()


def by_quality(request: Played) -> Response:
    """An honest judge: `good` beats all else, else a tie."""
    good = ["good" in request.explanation(place) for place in "AB"]
    choice = "TIE" if good[0] == good[1] else "A" if good[0] else "B"
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    return completion(f"Reasons.\nVERDICT: {choice}", usage=usage)


def _compared(*texts: tuple[str, str]) -> list[Comparison]:
    return [
        Comparison(Question(f"q{number}", "Which drug?", ("Colchicine", "Aspirin"), 0, "test"), ("jmlr", "rag"), pair)
        for number, pair in enumerate(texts)
    ]


class Server:
    """The endpoint; `play` answers, `requests` is what was asked."""

    completion = staticmethod(completion)
    by_quality = staticmethod(by_quality)

    def __init__(self) -> None:
        self.play: Player = by_quality
        self.requests: list[Played] = []
        self.lock = threading.Lock()
        self.open, self.most_open = 0, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    request = Played(len(outer.requests), self.path, dict(self.headers), json.loads(raw))
                    outer.requests.append(request)
                    outer.open += 1
                    outer.most_open = max(outer.most_open, outer.open)
                try:
                    status, headers, content = outer.play(request)
                finally:
                    with outer.lock:
                        outer.open -= 1
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                size, pause_seconds = (1, 0.05) if "Drip" in headers else (len(content) or 1, 0)
                try:
                    for start in range(0, len(content), size):
                        self.wfile.write(content[start : start + size])
                        time.sleep(pause_seconds)
                except OSError:
                    self.close_connection = True  # the client had enough

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def endpoint(self, **changes: Any) -> Endpoint:
        url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        return replace(Endpoint(url, "judge-1", timeout_seconds=5, retries=3, pause_seconds=0.01), **changes)

    def judged(self, log: Path, *texts: tuple[str, str], **changes: Any) -> list[Judgement]:
        with ChatClient(self.endpoint(**changes)) as client:
            return judge(_compared(*texts), client, log)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    return "JUDGE_KEY"


@pytest.fixture
def comparisons() -> Callable[..., list[Comparison]]:
    return _compared
