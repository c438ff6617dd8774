"""Stage index: the base retriever's index of all passages, and every training question's candidates."""

from __future__ import annotations

from collections.abc import Sequence

from jmlr.answering.answerer import load_search
from jmlr.data.tables import read_passages, read_questions
from jmlr.index import build, candidates
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.types import Passage


def run(settings: Settings) -> None:
    """Writes build/index: the index as a generation, and candidates.parquet for the training questions."""
    passages = read_passages(layout.PASSAGES)
    build.build(layout.BASE_RETRIEVER, passages, settings.index, layout.INDEX, settings.seed)
    mine_candidates(passages, settings)


def mine_candidates(passages: Sequence[Passage], settings: Settings) -> None:
    """Writes the pool of every training question, searched in build/index."""
    search = load_search(layout.BASE_RETRIEVER, layout.INDEX, passages, settings)
    questions = [question for question in read_questions(layout.QUESTIONS) if question.split == "train"]
    pools = candidates.mine(search, questions, settings.index.candidates)
    candidates.write(layout.CANDIDATES, pools)
    count = sum(map(len, pools.values()))
    print(f"candidates: {count:,} for {len(pools):,} training questions, at most {settings.index.candidates} each")
