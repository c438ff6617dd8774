"""`jmlr ask` asks a running server of its own pair, else it loads the models; the answer is the same."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import uvicorn

from jmlr.commands.serve import ask
from jmlr.index.build import build
from jmlr.registry.version.contents import Abstaining
from jmlr.registry.version.pair import Pair
from jmlr.serving import running, server
from jmlr.serving.app import create_app
from jmlr.serving.desk import Desk
from jmlr.serving.loading import load_pair
from jmlr.serving.model import Label
from jmlr.settings import params, recipes

ASKED = ("gout toe pain?", ["kidney stone", "gout"])


@pytest.fixture
def settings(repository, tiny_index_settings, prompt_settings):
    settings = params.load(repository / "params.yaml")
    return settings.model_copy(update={"index": tiny_index_settings, "prompt": prompt_settings})


@pytest.fixture
def pair(
    repository, settings, tiny_retriever_folder, tiny_passages, make_tiny_reader, tiny_tokenizer, tmp_path, monkeypatch
) -> Pair:
    from jmlr.data.tables import write_passages

    make_tiny_reader().save_pretrained(tmp_path / "reader")
    tiny_tokenizer.save_pretrained(tmp_path / "reader")
    write_passages(tmp_path / "passages.parquet", tiny_passages)
    build(tiny_retriever_folder, tiny_passages, settings.index, tmp_path / "index", seed=3)
    recipes.write_params("starter", tmp_path / "params.yaml", repository / "conf")
    files = (tmp_path / name for name in ("reader", "index", "passages.parquet", "params.yaml"))
    pair = Pair(tiny_retriever_folder, *files)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ask, "trained_pair", lambda: pair)
    return pair


@contextmanager
def serving(pair: Pair, settings, pair_hash: str):
    """The pair behind HTTP, in a thread; the fields say what it was asked."""
    monkeypatched = pytest.MonkeyPatch()
    monkeypatched.setattr(Pair, "settings", lambda self, current=None: settings)
    model = load_pair(pair, Label("build/train", None, "this checkout", pair_hash), Abstaining(), settings)
    monkeypatched.undo()
    asked = []
    stub = SimpleNamespace(label=model.label, answer=lambda some: asked.extend(some) or model.answer(some))
    desk, taken = Desk([stub], settings.serve), server.bind("127.0.0.1", 0)
    web = uvicorn.Server(uvicorn.Config(create_app(desk), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=web.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not web.started:
        time.sleep(0.01)
    address = server.address_of(taken)
    try:
        with running.announced(address, pair_hash):
            yield SimpleNamespace(address=address, asked=asked)
    finally:
        web.should_exit = True
        thread.join(10)
        desk.close()


def said(settings, capsys, **more) -> str:
    ask.run(settings, *ASKED, **more)
    return capsys.readouterr().out


def test_a_running_server_of_the_pair_answers_and_the_answer_is_the_same(pair, settings, capsys, monkeypatch):
    loaded = said(settings, capsys)
    assert "Asked the running server" not in loaded
    assert "Answer: " in loaded
    with serving(pair, settings, pair.pair_hash()) as served:
        capsys.readouterr()
        assert said(settings, capsys, use_server=False) == loaded
        assert served.asked == []
        monkeypatch.setattr("jmlr.answering.answerer.Answerer.load", lambda *_: pytest.fail("models are loaded"))
        first, _, rest = said(settings, capsys).partition("\n")
        assert first == f"Asked the running server at {served.address}, which has this pair loaded."
        assert rest == loaded
    assert not list(running.FOLDER.iterdir()), "the note is gone with the server"


def test_a_server_of_another_pair_or_one_that_is_gone_is_not_asked(pair, settings, capsys):
    with serving(pair, settings, "another") as served:
        capsys.readouterr()
        assert "Asked the running server" not in said(settings, capsys)
        assert served.asked == []
        (note,) = running.FOLDER.iterdir()
        told = note.read_text()
    note.with_name("serve-1.json").write_text(told.replace("another", pair.pair_hash()))
    assert "Asked the running server" not in said(settings, capsys)


def test_a_server_of_another_release_is_not_asked(pair, settings, capsys):
    with serving(pair, settings, pair.pair_hash()) as served:
        (note,) = running.FOLDER.iterdir()
        note.write_text(json.dumps({**json.loads(note.read_text()), "release": "0"}))
        capsys.readouterr()
        assert "Asked the running server" not in said(settings, capsys)
        assert served.asked == []
