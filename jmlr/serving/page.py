"""The web page: one form, answered by the server itself; it works without JavaScript."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import urlencode

import jinja2
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jmlr.serving.asked import Asked, parse_form, read_asked
from jmlr.serving.desk import Desk
from jmlr.serving.marks import FILTERS
from jmlr.serving.model import NOTICE, Reply
from jmlr.serving.refusals import Refused
from jmlr.serving.wire import ask_all, read_body
from jmlr.types import OPTION_LETTERS, Question

_LISTED_QUESTIONS = 100
_EMPTY_OPTIONS = 4
_FILES = {"style.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Filled:
    """The form's content: the models asked, by number, and the exam question it was filled from."""

    question: str = ""
    options: tuple[str, ...] = ()
    models: tuple[int, ...] = (0,)
    example: str = ""

    def fields(self, most: int) -> list[tuple[str, str]]:
        """Letter and text of every option field: those that are filled, and room for more.

        >>> Filled(options=("MRI", "ECG", "CT", "EEG")).fields(10)[-1]
        ('E', '')
        """
        count = min(most, max(_EMPTY_OPTIONS, len(self.options) + 1))
        return list(zip(OPTION_LETTERS, [*self.options, *[""] * count], strict=False))[:count]


@dataclass
class Page:
    """Renders the form and what comes of it.

    Attributes:
        desk: that answers.
        questions: exam questions offered as examples.
    """

    desk: Desk
    questions: Sequence[Question]
    _by_id: dict[str, Question] = field(init=False)
    _listed: list[Question] = field(init=False)
    _template: jinja2.Template = field(init=False)

    def __post_init__(self) -> None:
        self._by_id = {question.question_id: question for question in self.questions}
        count = min(_LISTED_QUESTIONS, len(self.questions))
        self._listed = random.Random(0).sample(list(self.questions), count)
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("jmlr.serving"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        self._template = environment.get_template("page.html.j2")

    def show(self, filled: Filled, replies: Sequence[Reply] = (), refused: Refused | None = None) -> Response:
        """The page with a form that is filled, and with replies or the reason there are none."""
        example = self._by_id.get(filled.example)
        key = example if example and (example.text, example.options) == (filled.question, filled.options) else None
        html = self._template.render(
            labels=self.desk.labels,
            letters=OPTION_LETTERS,
            limits=self.desk.settings,
            notice=NOTICE,
            listed=self._listed,
            total=len(self.questions),
            filled=filled,
            replies=replies,
            refused=refused,
            key=key,
        )
        after = refused.retry_after_seconds if refused else None
        headers = {} if after is None else {"Retry-After": str(after)}
        return HTMLResponse(html, refused.status if refused else 200, headers)

    def example(self, name: str) -> Filled:
        """The form filled with an exam question; an empty one if there is none of that id."""
        question = self._by_id.get(name)
        if question is None:
            return Filled()
        return Filled(question.text, question.options, tuple(range(len(self.desk.labels))), question.question_id)

    def draw(self) -> str:
        """The id of any exam question; empty if there are none."""
        return random.choice(self.questions).question_id if self.questions else ""

    async def answer(self, request: Request) -> Response:
        """The page with the replies to the form that was sent."""
        filled = Filled()
        try:
            filled = _read(await read_body(request, "application/x-www-form-urlencoded", self.desk.settings))
            asked = read_asked({"question": filled.question, "options": list(filled.options)}, self.desk.settings)
            chosen = [number for number in filled.models if number < len(self.desk.labels)] or [0]
            replies = await ask_all(request, self.desk, Asked(asked.question, explain=True), chosen)
        except Refused as refused:
            return self.show(filled, refused=refused)
        self.desk.gauges.replies(replies)
        return await asyncio.to_thread(self.show, filled, replies)


def _read(body: bytes) -> Filled:
    """What the form's fields hold; options left empty are no options."""
    fields = parse_form(body)
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value.replace("\r\n", "\n").strip())
    models = sorted({int(number) for number in values.get("model", ()) if number.isdecimal() and len(number) < 4})
    return Filled(
        question=values.get("question", [""])[0],
        options=tuple(option for option in values.get("option", ()) if option),
        models=tuple(models) or (0,),
        example=values.get("example", [""])[0],
    )


def add_page(app: FastAPI, page: Page) -> None:
    """Adds the page at /, and the two files it needs. Its addresses are relative, so it may lie below a prefix."""

    @app.get("/", include_in_schema=False)
    async def form(request: Request) -> Response:
        if "random" in request.query_params:
            return RedirectResponse(f"?{urlencode({'example': page.draw()})}", 303)
        return page.show(page.example(request.query_params.get("example", "")))

    @app.post("/", include_in_schema=False)
    async def answer(request: Request) -> Response:
        return await page.answer(request)

    for name, media_type in _FILES.items():
        _add_file(app, name, media_type)


def _add_file(app: FastAPI, name: str, media_type: str) -> None:
    text = (resources.files("jmlr.serving") / "static" / name).read_text(encoding="utf-8")

    @app.get(f"/{name}", include_in_schema=False)
    async def file() -> Response:
        return Response(text, media_type=media_type)
