"""One question to several models: whatever happens to one, no queue keeps the question for the others."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest
from starlette.requests import ClientDisconnect

from jmlr.serving.refusals import Failed, Unavailable
from jmlr.serving.wire import ask_all


class Desk:
    """Takes a question for each model: of `play` one has a full queue, fails at once with an error, or lets wait."""

    def __init__(self, *play: Exception | str) -> None:
        self.play, self.promises = play, []

    def ask(self, asked: object, model: int) -> Future:
        if self.play[model] == "full":
            raise Unavailable("full", 1)
        self.promises.append(Future())
        if self.play[model] != "waits":
            self.promises[-1].set_exception(self.play[model])
        return self.promises[-1]


class Client:
    """Waits, or has gone already."""

    def __init__(self, has_gone: bool = False) -> None:
        self.has_gone = has_gone

    async def receive(self) -> dict:
        await asyncio.sleep(0 if self.has_gone else 60)
        return {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("play", "client", "error"),
    [
        (("waits", "full"), Client(), Unavailable),
        (("waits", Unavailable("waited too long", 1)), Client(), Unavailable),
        (("waits", ValueError("broken")), Client(), Failed),
        (("waits", "waits"), Client(has_gone=True), ClientDisconnect),
    ],
)
def test_the_other_models_question_is_taken_back(play, client, error):
    desk = Desk(*play)
    with pytest.raises(error):
        asyncio.run(ask_all(client, desk, None, [0, 1]))
    assert desk.promises[0].cancelled()
