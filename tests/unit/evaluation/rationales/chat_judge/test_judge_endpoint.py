from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jmlr.errors import ConfigError, MissingResource
from jmlr.evaluation.rationales.chat_judge import endpoint as judge_endpoint
from jmlr.evaluation.rationales.chat_judge.endpoint import ChatClient, Endpoint
from jmlr.evaluation.rationales.chat_judge.pairs import Comparison, judge

Compare = Callable[..., list[Comparison]]
PAIRS = (("good", "bad"), ("bad", "good"), ("bad", "bad"), ("good", "bad"))
HEAD = {"Content-Type": "application/json"}
Response = tuple[int, dict[str, str], bytes]
SECRET = "sk-very-secret-0123456789"


@pytest.mark.parametrize("code", ["content_filter", "context_length_exceeded"])
def test_a_refused_prompt_is_counted_and_the_rest_goes_on(server: Any, tmp_path: Path, code: str) -> None:
    def play(request: Any) -> Response:
        if "unmentionable" in request.prompt:
            return 400, HEAD, json.dumps({"error": {"code": code, "message": "no"}}).encode()
        return server.by_quality(request)

    server.play = play
    judged = server.judged(tmp_path / "judged.jsonl", ("unmentionable", "bad"), ("good", "bad"))
    assert [(found.verdict, found.refused) for found in judged] == [(None, code), (None, code), ("A", ""), ("B", "")]


def test_too_many_requests_are_asked_again_after_the_pause_asked_for(
    server: Any, tmp_path: Path, comparisons: Compare
) -> None:
    times: list[float] = []

    def play(request: Any) -> Response:
        times.append(time.monotonic())
        return (429, {"Retry-After": "0.3"}, b"slow down") if request.number == 0 else server.by_quality(request)

    server.play = play
    with ChatClient(server.endpoint()) as client:
        judged = judge(comparisons(("good", "bad")), client, tmp_path / "judged.jsonl", threads=1)
    assert [found.verdict for found in judged] == ["A", "B"]
    assert len(server.requests) == 3
    assert times[1] - times[0] >= 0.3


@pytest.mark.parametrize(
    "broken",
    [
        (502, HEAD, b"<html>bad gateway</html>"),
        (200, HEAD, b"no json"),
        (200, HEAD, b'{"choices": []}'),
        (200, HEAD, b'["choices"]'),
        (200, HEAD, b'{"choices": [{"message": {"content": [1]}}]}'),
        (200, HEAD, b"[" * 100_000),
        (200, HEAD | {"Content-Encoding": "gzip"}, b"no gzip"),
        (200, HEAD | {"Content-Length": "9", "Connection": "close"}, b"short"),
        (200, HEAD, b"\xff\xfe"),
        (200, HEAD, b""),
    ],
)
def test_a_broken_reply_is_asked_again(server: Any, tmp_path: Path, broken: Response) -> None:
    server.play = lambda request: broken if request.number == 0 else server.by_quality(request)
    assert [found.verdict for found in server.judged(tmp_path / "judged.jsonl", ("good", "bad"))] == ["A", "B"]
    assert len(server.requests) == 3


def test_an_endpoint_that_fails_for_ever_ends_the_run(server: Any, tmp_path: Path) -> None:
    server.play = lambda _: (500, HEAD, b"out of order")
    began = time.monotonic()
    message = r"/v1, question q\d: status 500 \(out of order\), 4 times; expected a chat completion by judge-1"
    with pytest.raises(MissingResource, match=message):
        server.judged(tmp_path / "judged.jsonl", *PAIRS)
    assert len(server.requests) <= 4 * 4  # 4 threads, 4 tries: what had not begun was not begun
    assert time.monotonic() - began < 3


def test_a_silent_endpoint_times_out(server: Any, tmp_path: Path) -> None:
    released = threading.Event()

    def play(request: Any) -> Response:
        released.wait(5)
        return server.by_quality(request)

    server.play = play
    try:
        with pytest.raises(MissingResource, match=r"ReadTimeout .*, 2 times"):
            server.judged(tmp_path / "judged.jsonl", ("good", "bad"), timeout_seconds=0.2, retries=1)
    finally:
        released.set()


def test_a_reply_that_drips_is_given_up(server: Any, tmp_path: Path) -> None:
    server.play = lambda _: (200, HEAD | {"Drip": "yes"}, server.completion("VERDICT: A" * 9)[2])
    with pytest.raises(MissingResource, match=r"a reply that took more than 0.3 s, 1 times"):
        server.judged(tmp_path / "judged.jsonl", ("good", "bad"), retries=0, timeout_seconds=0.3)


def test_a_reply_without_end_is_cut(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_endpoint, "_LARGEST_REPLY_BYTES", 1 << 20)
    server.play = lambda _: server.completion("x" * (2 << 20))
    with pytest.raises(MissingResource, match=r"a reply of more than 1 MiB, 1 times"):
        server.judged(tmp_path / "judged.jsonl", ("good", "bad"), retries=0)


def test_no_endpoint_at_all_is_named(tmp_path: Path, comparisons: Compare) -> None:
    endpoint = Endpoint("http://127.0.0.1:9/v1", "judge-1", retries=1, pause_seconds=0.01)
    with (
        ChatClient(endpoint) as client,
        pytest.raises(MissingResource, match=r"127.0.0.1:9/v1, question q0: ConnectError .*, 2 times"),
    ):
        judge(comparisons(("a", "b")), client, tmp_path / "judged.jsonl")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "check the key in JUDGE_KEY"), (404, "check base_url"), (400, "parameters"), (302, "check base_url")],
)
def test_a_refusal_is_not_asked_again(server: Any, tmp_path: Path, key: str, status: int, remedy: str) -> None:
    server.play = lambda _: (status, {"Location": "http://127.0.0.1:9/"}, b'{"error": {"message": "no"}}')
    with pytest.raises(MissingResource, match=rf"status {status} .*\n  next: .*{remedy}"):
        server.judged(tmp_path / "judged.jsonl", ("a", "b"), key_variable=key)
    assert len(server.requests) <= 2  # one an order, which were begun together


def test_the_key_is_sent_and_nowhere_else(
    server: Any, tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    server.play = lambda request: server.completion(f"Your key is {request.headers['Authorization']}.\nVERDICT: A")
    log = tmp_path / "judged.jsonl"
    server.judged(log, ("good", "bad"), key_variable=key)
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {SECRET}"}
    server.play = lambda request: (400, HEAD, f"bad key {request.headers['Authorization']}".encode())
    with pytest.raises(MissingResource, match=r"bad key Bearer \*\*\*") as failed:
        server.judged(log, ("other", "bad"), key_variable=key)
    with ChatClient(server.endpoint(key_variable=key)) as client:
        shown = repr(client.endpoint) + repr(client)
    printed = "".join(capsys.readouterr())
    for text in (log.read_text(encoding="utf-8"), caplog.text, printed, str(failed.value), shown):
        assert SECRET not in text


def test_without_a_key_variable_no_key_is_sent(server: Any, tmp_path: Path) -> None:
    server.judged(tmp_path / "judged.jsonl", ("good", "bad"))
    assert all("Authorization" not in request.headers for request in server.requests)


def test_a_missing_or_broken_key_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint("http://localhost/v1", "m", key_variable="NO_SUCH_KEY")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(MissingResource, match=r"variable NO_SUCH_KEY: not set; .*\n  next: export NO_SUCH_KEY"):
        ChatClient(endpoint)
    monkeypatch.setenv("NO_SUCH_KEY", "sk-schlüssel")
    with pytest.raises(MissingResource, match=r"NO_SUCH_KEY: no key") as failed:
        ChatClient(endpoint)
    assert "schl" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://judge.example.org/v1", r"plain http to judge.example.org.*\n  next: use https"),
        ("http://127.0.0.1.example.org/v1", r"plain http to 127.0.0.1.example.org"),
        ("http://10.0.0.1/v1", r"plain http to 10.0.0.1"),
        ("http://localhost@evil.example.org/v1", r"a user or password in the address"),
        ("https://user:word@example.org/v1", r"a user or password in the address"),
        ("ftp://example.org", r"'ftp://example.org'; expected http\(s\)"),
        ("https://", r"expected http\(s\)"),
        ("localhost:8000/v1", r"expected http\(s\)"),
        ("http://localhost:port/v1", r"base_url: Port could not be cast"),
        ("http://[::1/v1", r"base_url: Invalid IPv6"),
    ],
)
def test_addresses_that_are_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        ChatClient(Endpoint(url, "m"))
    assert "word" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize("url", ["https://example.org/v1", "http://localhost:8000", "http://[::1]:8000/v1"])
def test_addresses_that_are_taken(url: str) -> None:
    with ChatClient(Endpoint(url, "m")):
        pass
    with ChatClient(Endpoint("http://judge.example.org/v1", "m", allow_plain_http=True)):
        pass


def test_a_proxy_of_the_environment_does_not_see_what_stays_on_this_machine(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert server.judged(tmp_path / "judged.jsonl", ("good", "bad"))[0].verdict == "A"


def test_the_parameters_and_the_model_are_sent(server: Any, tmp_path: Path) -> None:
    server.judged(tmp_path / "judged.jsonl", ("a", "b"), parameters={"max_completion_tokens": 9, "seed": 1})
    sent = {name: value for name, value in server.requests[0].body.items() if name != "messages"}
    assert sent == {"max_completion_tokens": 9, "seed": 1, "model": "judge-1"}


def test_a_stopped_client_asks_nothing(server: Any) -> None:
    with ChatClient(server.endpoint()) as client:
        client.stop()
        with pytest.raises(MissingResource, match=r"stopped before it was asked"):
            client.complete([])
    assert server.requests == []
