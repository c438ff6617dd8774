"""Stage index: the base retriever's index of all passages, and every training question's candidates."""

from __future__ import annotations

from jmlr.answering.answerer import load_search
from jmlr.config import Settings
from jmlr.data.tables import read_passages, read_questions
from jmlr.index import build, candidates
from jmlr.stages import layout


def run(settings: Settings) -> None:
    """Writes build/index: the PLAID index with its manifest, and candidates.parquet for the training questions.

    Raises:
        MissingResource: if colbert-ai's extensions cannot be compiled.
    """
    passages = read_passages(layout.PASSAGES)
    build.build(layout.BASE_RETRIEVER, passages, settings.index, layout.INDEX, settings.seed)
    search = load_search(layout.BASE_RETRIEVER, layout.INDEX, passages, settings)
    questions = [question for question in read_questions(layout.QUESTIONS) if question.split == "train"]
    pools = candidates.mine(search, questions, settings.index.candidates)
    candidates.write(layout.CANDIDATES, pools)
    print(f"candidates: {settings.index.candidates} for each of {len(pools):,} training questions")
