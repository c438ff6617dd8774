"""The page in a real Chromium: by keyboard, with and without scripts, hostile text, names, contrast, narrow windows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmlr.serving.app import create_app
from jmlr.serving.desk import Desk
from jmlr.types import Question

if TYPE_CHECKING:
    from chromium import Chromium

EXAM = [Question("gout/1", "Which test confirms gout?", ("ECG", "Joint fluid microscopy"), 1, "test")]

# Contrast of every piece of text with what lies behind it, as WCAG 2.1 computes it; what is under its minimum.
LOW_CONTRAST = """(() => {
  const parts = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parts(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255, 1]);
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
    const v = c[i] / 255; return sum + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!(own || element.value) || !element.checkVisibility() || element.matches("option, .unseen, script")) continue;
    const back = behind(element), style = getComputedStyle(element), front = over(parts(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) low.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return low;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        import chromium
    program = chromium.find()
    if program is None:
        pytest.skip(f"none of {', '.join(chromium.NAMES)} is on the PATH; CHROMIUM=/path/to/it names one")
    with chromium.Chromium(program, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(stub_model, limits, start_server) -> Iterator[str]:
    models = [stub_model(), stub_model("challenger")]
    desk = Desk(models, limits.model_copy(update={"hosts": ("127.0.0.1",)}))
    yield start_server(create_app(desk, EXAM))
    desk.close()


@pytest.fixture
def page(browser: Chromium, address: str) -> Chromium:
    """The empty page, in a wide light window, with scripts, and with nothing noted yet."""
    browser.allow_scripts(True)
    browser.show_as(1280)
    browser.open(address)
    browser.requests.clear()
    browser.complaints.clear()
    return browser


def wait_until(page: Chromium, condition: str) -> None:
    until = time.monotonic() + 30
    while not page.run(condition):
        assert time.monotonic() < until, condition
        time.sleep(0.05)


def focused(page: Chromium) -> str:
    return str(page.run("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_a_question_is_asked_and_answered_by_keyboard_alone(page: Chromium, address: str) -> None:
    order = []
    for _ in range(20):
        page.press("Tab", "Tab")
        order.append(focused(page))
        if order[-1] == "question":
            page.type("Which test confirms gout?")
        if order[-1] in ("option-A", "option-B"):
            page.type({"option-A": "ECG", "option-B": "Biopsy"}[order[-1]])
        if order[-1] == "Answer":
            break
    assert order[:4] == ["Skip to the answer", "example", "Show", "Any of 1"]
    assert order[4:7] == ["question", "option-A", "option-B"]
    page.press("Enter", "Enter", "\r")
    wait_until(page, "document.querySelector('#result table') !== null")
    wait_until(page, "document.activeElement.id === 'result'")
    live = page.run("(s => [s.getAttribute('role'), s.textContent])(document.getElementById('status'))")
    assert live == ["status", "champion: A, ECG, confidence 75 %."]
    assert page.run("document.title").startswith("A. ECG")
    assert page.run("document.getElementById('question').value") == "Which test confirms gout?"
    assert {url.removeprefix(address) for url in page.requests} <= {"/", "/#result"}
    assert page.complaints == []


def test_without_scripts_the_form_is_sent_and_the_answer_is_a_page(page: Chromium, address: str) -> None:
    page.allow_scripts(False)
    page.open(f"{address}/?example=gout/1")
    page.send("Runtime.evaluate", expression="document.querySelector('button.main').click()")
    page.wait_for("Page.loadEventFired")
    assert "this is wrong" in page.run("document.getElementById('result').textContent")
    assert page.run("location.hash") == "#result"


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_text_runs_nothing(page: Chromium, address: str, payload: str, scripts: bool) -> None:
    page.run(f"document.getElementById('question').value = {payload!r}")
    page.run(f"['A', 'B'].forEach((x) => document.getElementById('option-' + x).value = x + {payload!r})")
    submit = "requestSubmit" if scripts else "submit"  # the second passes the script by
    page.run(f"document.getElementById('ask').{submit}()")
    wait_until(page, "document.querySelector('#result table') !== null")
    assert payload in page.run("document.querySelector('.passages').textContent")
    assert page.run("document.title").startswith("A. A<script>")
    assert page.run("document.querySelectorAll('#result script, #result img, [onerror]').length") == 0
    assert all(url.startswith(address) for url in page.requests)
    assert page.complaints == []


def test_everything_a_screen_reader_meets_has_a_name(page: Chromium, address: str) -> None:
    page.open(f"{address}/?example=gout/1")
    page.run("document.getElementById('ask').requestSubmit()")
    wait_until(page, "document.querySelector('#result table') !== null")
    met = page.names_by_role()
    needing = ("textbox", "combobox", "button", "checkbox", "form", "region", "table", "heading", "link")
    assert [(role, name) for role, name in met if role in needing and not name] == []
    names = {name for role, name in met if role in ("textbox", "combobox", "checkbox")}
    assert {"Question", "A option", "challenger (jmlr version 3)", "An exam question it was not trained on"} <= names
    assert {"banner", "main", "contentinfo", "status", "table", "rowheader", "columnheader"} <= {
        role for role, _ in met
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page: Chromium, address: str, scheme: str) -> None:
    page.show_as(1280, scheme)
    page.open(f"{address}/?example=gout/1")
    assert page.run(LOW_CONTRAST) == []
    page.run("document.getElementById('ask').requestSubmit()")
    wait_until(page, "document.querySelector('#result table') !== null")
    page.run("document.querySelectorAll('details').forEach((one) => one.open = true)")
    wait_until(page, "document.getElementById('result').getAttribute('aria-busy') === 'false'")
    assert page.run(LOW_CONTRAST) == []
    assert (page.run("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)") == (scheme == "light")


@pytest.mark.parametrize("width", [320, 760, 1280])
def test_nothing_runs_out_of_the_window(page: Chromium, address: str, width: int) -> None:
    page.show_as(width)
    page.open(f"{address}/?example=gout/1")
    page.run("document.getElementById('ask').requestSubmit()")
    wait_until(page, "document.querySelector('#result table') !== null")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_a_refusal_is_said_aloud_and_the_form_keeps_its_text(page: Chromium) -> None:
    page.run("document.getElementById('ask').noValidate = true")
    page.run("document.getElementById('question').value = 'Which test?'")
    page.run("document.getElementById('ask').requestSubmit()")
    wait_until(page, "document.querySelector('#result [role=alert]') !== null")
    assert "Expected: 2 to 10" in page.run("document.getElementById('result').textContent")
    assert page.run("document.getElementById('question').value") == "Which test?"
