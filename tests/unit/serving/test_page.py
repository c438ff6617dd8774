"""The page as the server writes it, without any script: form, examples, answer, comparison, refusals, hostile text."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from jmlr.types import Question

EXAM = [
    Question("gout/1", "Which test confirms gout?", ("ECG", "Joint fluid microscopy"), 1, "test"),
    Question("gout/2", "Which medicine would do harm?", ("Aspirin", "Colchicine", "Rest"), 0, "test"),
]


class Elements(HTMLParser):
    """All start tags with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def client(make_client, stub_model):
    return make_client(stub_model(), stub_model("challenger"), questions=EXAM)


def send(client, **fields):
    data = {"question": "Which test?", "option": ["MRI", "ECG", "", ""], **fields}
    return client.post("/", data=data)


def test_the_form_has_a_label_for_every_field_and_the_warning(client):
    page = Elements(client.get("/").text)
    labelled = {label.get("for") for label in page.all("label")}
    fields = [*page.all("textarea"), *page.all("select"), *page.all("input")]
    for field in fields:
        assert field.get("type") in ("hidden", "checkbox") or field["id"] in labelled
    assert page.all("html")[0]["lang"] == "en"
    assert "Not for clinical use." in page.text
    assert [box["value"] for box in page.all("input") if box.get("type") == "checkbox"] == ["0", "1"]


def test_an_answer_shows_options_passages_effects_and_the_model(client):
    page = Elements(send(client).text)
    expected = "MRI|75 %|25 %|champion (jmlr version 3)|Gout hurts.|Supports|Without it: 25 %|−50 points|joint 0.90"
    for shown in (*expected.split("|"), "another option would be chosen", "Found but not read: 1 more"):
        assert shown in page.text, shown
    assert [bar["width"] for bar in page.all("rect")][1::2] == ["75.0%", "25.0%"]
    assert {mark["class"] for mark in page.all("mark")} == {"level-4"}


def test_an_abstaining_version_says_so_beside_its_guess(make_client, stub_model):
    model = stub_model()
    answer = model.answer
    model.answer = lambda asked: [dataclasses.replace(one, confidence=0.5, abstained=True) for one in answer(asked)]
    text = " ".join(Elements(send(make_client(model, questions=[])).text).text.split())
    assert "Too unsure: this version abstains. A is only its best guess" in text
    assert "the calibrated confidence of 50 % is below the 60 % that it wants" in text
    assert "champion: A, MRI, confidence 50 %: too unsure, it abstains." in text


def test_models_are_compared_side_by_side(client):
    page = Elements(send(client, model=["0", "1", "7"]).text)
    assert "challenger (jmlr version 3): A" in page.text
    assert len([bar for bar in page.all("rect") if bar["class"] == "fill"]) == 4


def test_hostile_text_is_shown_as_text(client, payload):
    answer = send(client, question=payload, option=[payload, "</textarea><script>1</script>"])
    page = Elements(answer.text)
    assert [script.get("src") for script in page.all("script")] == ["page.js"]
    assert page.all("img") == []
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(payload) >= 3  # in the question, among the options, and in the passage
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_an_exam_question_fills_the_form_and_its_key_is_told(client):
    page = Elements(client.get("/", params={"example": "gout/1"}).text)
    assert "Which test confirms gout?" in page.text
    assert [field["value"] for field in page.all("input") if field.get("name") == "option"][:2] == list(EXAM[0].options)
    told = send(client, question=EXAM[0].text, option=list(EXAM[0].options), example="gout/1").text
    assert "B, so this is wrong" in told
    changed = send(client, question="Another question?", option=list(EXAM[0].options), example="gout/1").text
    assert "key" not in Elements(changed).text


def test_any_exam_question_may_be_drawn(client):
    answer = client.get("/", params={"random": "1"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] in ("?example=gout%2F1", "?example=gout%2F2")
    assert "Which" in client.get("/", params={"random": "1"}).text


def test_a_form_that_cannot_be_answered_keeps_what_was_written_and_says_why(client):
    answer = send(client, option=["only one", ""])
    assert answer.status_code == 400
    page = Elements(answer.text)
    assert "options: 1 option(s). Expected: 2 to 10." in " ".join(page.text.split())
    assert "Which test?" in page.text
    assert [field["value"] for field in page.all("input") if field.get("name") == "option"][0] == "only one"


def test_a_full_queue_is_told_on_the_page(client):
    client.desk.close()
    answer = send(client)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "shutting down" in answer.text


def test_a_model_that_fails_is_told_on_the_page(make_client, stub_model):
    def fail(asked):
        raise RuntimeError("no")

    answer = send(make_client(stub_model(before=fail), questions=[]))
    assert answer.status_code == 500
    assert "the model failed to answer" in Elements(answer.text).text


def test_all_addresses_are_relative_so_that_a_proxy_may_add_a_prefix(client):
    page = Elements(send(client).text)
    addresses = [attributes.get(name) for _, attributes in page.tags for name in ("href", "src", "action")]
    assert not [address for address in addresses if address and (address.startswith("/") or "://" in address)]


def test_a_line_break_at_the_beginning_of_a_question_stays(client):
    assert "<textarea" in client.get("/").text
    html = send(client, question="first\r\nsecond").text
    assert "first\nsecond</textarea>" in html


def test_without_the_page_there_is_nothing_at_its_place(make_client):
    client = make_client()
    assert {client.get(path).status_code for path in ("/", "/style.css", "/page.js")} == {404}


def test_the_page_works_without_exam_questions(make_client):
    client = make_client(questions=[])
    assert client.get("/").status_code == 200
    assert client.get("/", params={"random": "1"}).status_code == 200
