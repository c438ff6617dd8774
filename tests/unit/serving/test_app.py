"""The API over HTTP: the answer's shape, every refusal with its status, probes, metrics, and strict headers."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from jmlr.serving.app import create_app

JSON = "application/json"
ASKED = {"question": "Which test?", "options": ["MRI", "ECG"]}


@pytest.fixture
def client(make_client):
    return make_client()


def test_an_answer_has_its_probabilities_passages_and_model(client):
    answer = client.post("/v1/answer", json=ASKED).json()
    assert (answer["answer"], answer["answer_index"], answer["option_probabilities"]) == ("MRI", 0, [0.75, 0.25])
    assert (answer["confidence"], answer["abstained"], answer["abstain_below"]) == (0.75, False, 0.6)
    assert [(passage["passage_id"], passage["score"], passage["read"]) for passage in answer["passages"]] == [
        ("p1", 9.5, True),
        ("p2", 1.0, False),
    ]
    assert answer["model"] == {
        "name": "jmlr", "version": "3", "role": "champion", "pair_hash": "champion-hash", "reads": True,
    }  # fmt: skip
    assert "Not for clinical use" in answer["notice"]


def test_an_answer_is_explained_where_that_is_asked_for(client):
    plain, explained = (client.post("/v1/answer", json={**ASKED, "explain": way}).json() for way in (False, True))
    assert (plain["passages"][0]["effect"], plain["passages"][0]["matches"]) == (None, [])
    assert explained["passages"][0]["effect"]["probability_without"] == 0.25
    assert explained["passages"][0]["matches"][0]["question_word"] == "joint"


@pytest.mark.parametrize(
    ("sent", "status", "where"),
    [
        ({"content": b"{"}, 400, "body"),
        ({"content": json.dumps({**ASKED, "options": ["a"]})}, 400, "options"),
        ({"content": json.dumps({**ASKED, "question": "x" * 9000})}, 413, "question"),
        ({"content": b" " * 70_000}, 413, "body"),
        ({"content": json.dumps(ASKED), "headers": {"content-type": "text/plain"}}, 415, "Content-Type"),
        ({"content": json.dumps(ASKED), "headers": {"content-type": f"{JSON}; charset=utf-16"}}, 415, "Content-Type"),
        (
            {"content": json.dumps(ASKED), "headers": {"content-type": JSON, "content-encoding": "gzip"}},
            415,
            "Content-Encoding",
        ),
        ({"content": json.dumps(ASKED), "headers": {"host": "evil.example"}}, 400, "Host"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(client, sent, status, where):
    headers = {"content-type": "application/json", **sent.get("headers", {})}
    answer = client.post("/v1/answer", content=sent["content"], headers=headers)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["where"] == where
    assert error["found"]
    assert error["expected"]


def test_unknown_paths_and_methods_are_told_in_the_same_form(client):
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/v1/answer", 405), ("GET", "/docs", 404)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["found"] == f"{method} {path}"


def test_a_model_that_fails_gives_500_without_a_word_of_the_question(make_client, stub_model, caplog):
    def fail(asked):
        raise RuntimeError(f"cannot read {asked[0].question.text}")

    client = make_client(stub_model(before=fail))
    answer = client.post("/v1/answer", json={**ASKED, "question": "secret?"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "a model failed" in caplog.text
    assert 'jmlr_requests_total{path="/v1/answer",status="500"} 1.0' in client.get("/metrics").text


def test_what_does_not_fit_is_refused_and_what_is_accepted_is_answered(make_client, stub_model):
    gate = threading.Event()
    client = make_client(stub_model(before=lambda asked: gate.wait(20)), queue_questions=2, batch_questions=1)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(client.post, "/v1/answer", json=ASKED) for _ in range(8)]
        until = time.monotonic() + 20
        while sum(one.done() for one in sent) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        gate.set()
        answers = [one.result(20) for one in sent]
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert "waiting already" in refused.json()["error"]["found"]


def test_a_server_that_stops_is_alive_but_not_ready_and_refuses(make_client):
    client = make_client()
    assert (client.get("/health").status_code, client.get("/ready").json()) == (200, {"status": "ready"})
    client.desk.close()
    assert (client.get("/health").status_code, client.get("/ready").status_code) == (200, 503)
    refused = client.post("/v1/answer", json=ASKED)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.headers["connection"] == "close"


def test_probes_may_come_under_any_name(client):
    answers = [client.get(path, headers={"host": "10.0.0.7:8000"}).status_code for path in ("/health", "/metrics")]
    assert answers == [200, 400]


@pytest.mark.parametrize(
    ("hosts", "host", "status"),
    [
        (("::1",), "[::1]:8000", 200),
        (("localhost",), "LOCALHOST:1", 200),
        (("localhost",), "localhost.evil.example", 400),
        (("localhost",), "[", 400),
        (("*",), "anything", 200),
    ],
)
def test_the_names_a_server_may_be_called_by(make_client, hosts, host, status):
    assert make_client(hosts=hosts).get("/v1/models", headers={"host": host}).status_code == status


def test_metrics_count_requests_answers_and_batches_and_hold_no_text(client):
    client.post("/v1/answer", json={**ASKED, "question": "secret?"})
    client.post("/v1/answer", content=b"")
    client.get("/some/strangers/path")
    text = client.get("/metrics").text
    assert 'jmlr_requests_total{path="/v1/answer",status="200"} 1.0' in text
    assert 'jmlr_requests_total{path="/v1/answer",status="415"} 1.0' in text
    assert 'jmlr_requests_total{path="other",status="404"} 1.0' in text
    assert 'jmlr_answers_total{abstained="false",model="champion (jmlr version 3)"} 1.0' in text
    assert "jmlr_batch_questions_count 1.0" in text
    assert "jmlr_ready 1.0" in text
    assert "secret" not in text
    assert "stranger" not in text


def test_the_schema_describes_the_request_and_nothing_is_loaded_from_elsewhere(client):
    schema = client.get("/openapi.json").json()
    answer = schema["paths"]["/v1/answer"]["post"]
    properties = answer["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert properties["options"]["maxItems"] == 10
    assert {"200", "400", "408", "413", "415", "503"} <= set(answer["responses"])
    assert "option_probabilities" in schema["components"]["schemas"]["Reply"]["properties"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_every_answer_keeps_browsers_strict(client):
    for path in ("/health", "/nothing", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_the_models_and_limits_are_told(client):
    told = client.get("/v1/models").json()
    assert [model["role"] for model in told["models"]] == ["champion"]
    assert told["limits"]["options"] == 10


@pytest.fixture
def address(make_desk, stub_model, start_server):
    """A server on the wire; its model calls `before` with every batch."""

    def start(before=None, **changes):
        model = stub_model(before=before)
        desk = make_desk(model, hosts=("127.0.0.1",), **changes)
        return start_server(create_app(desk)), desk, model

    return start


def test_a_body_that_does_not_come_is_given_up(address):
    url, _, _ = address(body_seconds=0.2)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        head = "POST /v1/answer HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 50"
        connection.sendall("\r\n".join([*head, "", "{"]).encode())
        assert re.match(rb"HTTP/1.1 408 ", connection.recv(4096))


def test_a_body_far_too_large_gets_its_answer_and_no_broken_connection(address):
    url, _, _ = address()
    answer = httpx.post(
        f"{url}/v1/answer", content=b" " * 20_000_000, headers={"content-type": "application/json"}, timeout=20
    )
    assert answer.status_code == 413
    assert answer.json()["error"]["found"] == "20000000 bytes"


def test_far_beyond_capacity_every_request_gets_an_answer_and_no_connection_is_lost(address):
    url, _, model = address(before=lambda asked: time.sleep(0.02), queue_questions=8, batch_questions=4)

    async def ask_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            return await asyncio.gather(*(client.post(f"{url}/v1/answer", json=ASKED) for _ in range(150)))

    answers = asyncio.run(ask_all())
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses[200] == sum(map(len, model.batches))
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 503)
    assert max(map(len, model.batches)) == 4


def test_a_question_whose_client_has_gone_is_not_answered(address):
    gate = threading.Event()
    url, desk, model = address(lambda asked: gate.wait(20), batch_questions=1)
    with httpx.Client(timeout=20) as patient, ThreadPoolExecutor(1) as pool:
        first = pool.submit(patient.post, f"{url}/v1/answer", json=ASKED)
        while not model.batches:
            time.sleep(0.01)
        with pytest.raises(httpx.ReadTimeout, match="timed out"):
            httpx.post(f"{url}/v1/answer", json={**ASKED, "question": "gone?"}, timeout=0.3)
        time.sleep(0.3)
        gate.set()
        assert first.result(20).status_code == 200
    while not desk.idle:
        time.sleep(0.01)
    assert model.batches == [["Which test?"]]
