"""A chat model behind an OpenAI-compatible endpoint: one request with its retries; its key is shown nowhere."""

from __future__ import annotations

import ipaddress
import json
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from jmlr.errors import ConfigError, MissingResource

Message = Mapping[str, str]

_PASSING = frozenset({408, 425, 429, *range(500, 600)})
"""Statuses that pass by themselves."""
_REFUSALS = frozenset({"content_filter", "context_length_exceeded"})
"""Error codes by which a working endpoint refuses one prompt: asking again, or asking others, changes nothing."""
_LONGEST_PAUSE_SECONDS = 60.0
_LARGEST_REPLY_BYTES = 4 << 20
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Endpoint:
    """Where the judge is, and how it is asked.

    Attributes:
        base_url: up to and without `/chat/completions`, for example http://127.0.0.1:8000/v1.
        model: the model's name there.
        key_variable: environment variable that holds the key; empty for an endpoint without one.
        parameters: what the request says beside model and messages.
        timeout_seconds: of one request, and between two pieces of its reply.
        retries: of a request that failed by a timeout, a broken connection or a passing status.
        pause_seconds: before the first retry; doubled before each further one, at most a minute.
        allow_plain_http: whether http may reach beyond this machine: key and questions travel readable.
    """

    base_url: str
    model: str
    key_variable: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0, "max_tokens": 512})
    timeout_seconds: float = 120.0
    retries: int = 5
    pause_seconds: float = 1.0
    allow_plain_http: bool = False

    @classmethod
    def named(cls, text: str) -> Endpoint:
        """The judge as the command line names it, MODEL@URL or MODEL@URL@VARIABLE.

        Raises:
            ConfigError: if it is neither, or its address may not be asked.

        >>> Endpoint.named("llama3@http://127.0.0.1:8000/v1@MY_KEY").key_variable
        'MY_KEY'
        """
        parts = text.split("@")
        if len(parts) not in (2, 3) or not all(parts):
            raise ConfigError(
                f"'{text}'", expected="MODEL@URL, or MODEL@URL@VARIABLE_OF_THE_KEY", where="--judge",
                next_step="for example --judge llama3@http://127.0.0.1:8000/v1",
            )  # fmt: skip
        endpoint = cls(parts[1], parts[0], parts[2] if len(parts) == 3 else "")
        endpoint.check()
        return endpoint

    @property
    def is_local(self) -> bool:
        """Whether the address is of this machine.

        >>> [Endpoint(f"http://{host}/v1", "m").is_local for host in ("localhost", "[::1]", "127.0.0.1.example.org")]
        [True, True, False]
        """
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Returns if the endpoint may be asked.

        Raises:
            ConfigError: if its address is none, carries a password, or is plain http beyond this machine.
        """
        where, expected = "the judge's base_url", "http(s)://HOST[:PORT][/PATH]"
        try:
            parts = urlsplit(self.base_url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"{error}", expected=expected, where=where) from error
        if parts.username is not None or parts.password is not None:
            expected = "the key in an environment variable that key_variable names"
            raise ConfigError("a user or password in the address", expected=expected, where=where)
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise ConfigError(f"{self.base_url!r}", expected=expected, where=where)
        if parts.scheme == "http" and not self.is_local and not self.allow_plain_http:
            raise ConfigError(
                f"plain http to {host}: key and questions would travel readable", expected="https, or this machine",
                where=where, next_step="use https, tunnel to a port of this machine, or set allow_plain_http",
            )  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """A model's reply; `refused` says why there is none, and is empty where there is one."""

    text: str
    refused: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Passing(Exception):
    """A fault that may pass; `wait_seconds` is what the endpoint asked for."""

    def __init__(self, found: str, wait_seconds: float = 0.0) -> None:
        super().__init__(found)
        self.wait_seconds = wait_seconds


class ChatClient:
    """Asks the endpoint, from any number of threads; to be used in a with statement."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Checks address and key; asks nothing yet.

        Raises:
            ConfigError: if the address may not be asked.
            MissingResource: if the key is not in its environment variable.
        """
        endpoint.check()
        self.endpoint = endpoint
        self._secret = _key(endpoint.key_variable) if endpoint.key_variable else ""
        self._stopped = threading.Event()
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {self._secret}"} if self._secret else {},
            timeout=endpoint.timeout_seconds,
            trust_env=not endpoint.is_local,  # a proxy would be told what is meant to stay on this machine
        )

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._http.close()

    def stop(self) -> None:
        """From here on nothing is asked, or asked again; a request under way is waited for."""
        self._stopped.set()

    def complete(self, messages: Sequence[Message]) -> Reply:
        """The model's reply to a conversation.

        Raises:
            MissingResource: if the endpoint does not answer after all retries, or refuses.
        """
        if self._stopped.is_set():
            raise self._failed("stopped before it was asked", "run again: what was judged is kept")
        for tries in range(self.endpoint.retries + 1):
            try:
                return self._ask(messages)
            except _Passing as fault:
                found = str(fault)
                # Half of the pause by chance, or all threads come back at once.
                pause = max(self.endpoint.pause_seconds * 2**tries * random.uniform(0.5, 1), fault.wait_seconds)
            if tries == self.endpoint.retries or self._stopped.wait(min(pause, _LONGEST_PAUSE_SECONDS)):
                break
        raise self._failed(f"{found}, {tries + 1} times", "run again: what was judged is kept; or raise retries")

    def _ask(self, messages: Sequence[Message]) -> Reply:
        body = {**self.endpoint.parameters, "model": self.endpoint.model, "messages": list(messages)}
        url = f"{self.endpoint.base_url.rstrip('/')}/chat/completions"
        try:
            with self._http.stream("POST", url, json=body) as response:
                content = self._content(response)
        except httpx.RequestError as error:
            raise _Passing(f"{type(error).__name__} ({self._shown(str(error))})") from error
        status, told = response.status_code, f"status {response.status_code} ({self._shown(content)})"
        if status in _PASSING:
            asked_for = response.headers.get("retry-after", "")  # seconds; a date is passed over
            raise _Passing(told, float(asked_for) if asked_for.replace(".", "", 1).isdecimal() else 0.0)
        try:
            found = json.loads(content)
            if status != 200 and (code := found["error"]["code"]) in _REFUSALS:
                return Reply("", refused=code)
            if status == 200:
                return self._reply(found)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            if status == 200:
                raise _Passing(f"no chat completion ({self._shown(content)})") from error
        raise self._failed(told, _remedy(status, self.endpoint))

    def _content(self, response: httpx.Response) -> bytes:
        """The whole body, which neither drips for ever nor fills the memory."""
        content, until = bytearray(), time.monotonic() + self.endpoint.timeout_seconds
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _LARGEST_REPLY_BYTES:
                raise _Passing(f"a reply of more than {_LARGEST_REPLY_BYTES >> 20} MiB")
            if time.monotonic() > until:
                raise _Passing(f"a reply that took more than {self.endpoint.timeout_seconds:g} s")
        return bytes(content)

    def _reply(self, found: Any) -> Reply:
        text, usage = found["choices"][0]["message"]["content"], found.get("usage") or {}
        tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
        if text is None:
            return Reply("", "no content", *tokens)
        whole = text.encode("utf-8", "replace").decode()  # half a surrogate pair is JSON, but could not be written
        return Reply(self._without_key(whole), "", *tokens)

    def _without_key(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text

    def _shown(self, found: bytes | str) -> str:
        """The beginning of what came, in one line and without the key."""
        text = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
        line = " ".join(self._without_key(text).split())
        return "".join(filter(str.isprintable, line))[:_SHOWN_CHARACTERS] or "empty"

    def _failed(self, found: str, next_step: str) -> MissingResource:
        expected = f"a chat completion by {self.endpoint.model}"
        return MissingResource(found, expected=expected, where=self.endpoint.base_url, next_step=next_step)


def _key(variable: str) -> str:
    """The key, which no message shows."""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise MissingResource(
            "no key: it holds characters that no HTTP header can carry" if key else "not set",
            expected="the key of the judge's endpoint",
            where=f"environment variable {variable}",
            next_step=f"export {variable}=...; or leave key_variable empty for an endpoint without a key",
        )
    return key


def _remedy(status: int, endpoint: Endpoint) -> str:
    if status in (401, 403):
        return f"check the key in {endpoint.key_variable}" if endpoint.key_variable else "name the key in key_variable"
    if status == 404 or 300 <= status < 400:
        return "check base_url (it ends before /chat/completions) and model"
    return "change the judge's parameters to what this model takes"
