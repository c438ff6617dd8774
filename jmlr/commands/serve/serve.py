"""Serves registered versions over HTTP: the API, and the page if it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.data.tables import read_questions
from jmlr.errors import RegistryError
from jmlr.serving import loading, running, server
from jmlr.serving.app import create_app
from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.model import Label, ServedModel
from jmlr.settings import ServeSettings, Settings
from jmlr.stages import layout
from jmlr.types import Question

BUILD, CLOSED_BOOK = "build", "closed_book"
COMPARED = ("@champion", "@challenger", CLOSED_BOOK)
_WARMING = Asked(Question("first", "Which test?", ("the one", "the other"), 0, "test"), explain=True)


@dataclass(frozen=True)
class Wanted:
    """What is to be served.

    Attributes:
        version: `@champion`, a number, a models:/ address, or `build` for the pair of build/train.
        compare: further ones, as `version`, or `closed_book`; empty: none; None: those of COMPARED that exist.
        host: in place of `serve.host`.
        port: in place of `serve.port`.
        page: whether the page is at /.
    """

    version: str = "@champion"
    compare: tuple[str, ...] | None = ()
    host: str | None = None
    port: int | None = None
    page: bool = False


def run(settings: Settings, wanted: Wanted) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Raises:
        RegistryError: if there is no such version.
        FingerprintMismatch: if one's index, retriever and passages do not belong together.
        MissingResource: if the address cannot be bound.
    """
    limits = _limits(settings.serve, wanted)
    taken = server.bind(limits.host, limits.port)
    models = load(settings, wanted)
    for model in models:
        model.answer([_WARMING])  # the first answer takes longer than all that follow
    desk = Desk(models, limits)
    app = create_app(desk, exam_questions() if wanted.page else None)
    address = server.address_of(taken)
    CONSOLE.print(f"{'page' if wanted.page else 'API'}: {address}{'/' if wanted.page else '/v1/answer'}")
    for label in desk.labels:
        CONSOLE.print(f"  answered by {label.title}{f', pair {label.pair_hash[:12]}' if label.pair_hash else ''}")
    CONSOLE.print("Teaching and research only, not for clinical use. Ctrl-C stops it.")
    with running.announced(address, desk.labels[0].pair_hash):
        server.serve(app, desk, taken)


def _limits(serve: ServeSettings, wanted: Wanted) -> ServeSettings:
    """The settings with the command line's host and port; the host's own name is always allowed."""
    host = wanted.host or serve.host
    hosts = serve.hosts if host in (*serve.hosts, "0.0.0.0", "::") else (*serve.hosts, host)
    port = serve.port if wanted.port is None else wanted.port
    return serve.model_copy(update={"host": host, "port": port, "hosts": hosts})


def load(settings: Settings, wanted: Wanted) -> list[ServedModel]:
    """The models without duplicates, the one that answers the API first.

    Raises:
        RegistryError: if the version, or one named to compare, is not there.
    """
    models = [_load_one(settings, wanted.version)]
    optional = wanted.compare is None
    for spec in COMPARED if wanted.compare is None else wanted.compare:
        try:
            model = _load_one(settings, spec)
        except RegistryError:
            if not optional:
                raise
            continue
        if all((model.label.pair_hash, model.label.name) != (one.label.pair_hash, one.label.name) for one in models):
            models.append(model)
    return models


def _load_one(settings: Settings, spec: str) -> ServedModel:
    if spec == BUILD:
        pair = trained_pair()
        pair.require()
        label = Label(layout.TRAIN.as_posix(), None, "this checkout", pair.pair_hash())
        return loading.load_pair(pair, label, loading.read_abstaining(layout.METRICS), settings)
    if spec == CLOSED_BOOK:
        reader = layout.arm_folder("closed_book") / "reader"
        if not reader.exists():
            raise RegistryError(
                "missing", expected="the arm closed_book of a training", where=str(reader), next_step="dvc repro train"
            )
        return loading.load_closed_book(reader, "this checkout", settings)
    return loading.load_version(spec, settings)


def exam_questions() -> Sequence[Question]:
    """The test questions of this checkout, for the page; none if nothing was ingested."""
    if not layout.QUESTIONS.exists():
        return ()
    return [question for question in read_questions(layout.QUESTIONS) if question.split == "test"]
