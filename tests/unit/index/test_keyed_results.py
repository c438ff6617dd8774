"""What is retrieved is kept by question id: doubled ids are refused, and too few passages are said aloud."""

from __future__ import annotations

import pytest

from jmlr.errors import DataError
from jmlr.index import candidates
from jmlr.index.bm25 import Bm25
from jmlr.types import Passage, Question

PASSAGES = [Passage("p1", "Gout of the toe."), Passage("p2", "Gout of the knee."), Passage("p3", "Fever.")]


def ask(question_id: str, text: str) -> Question:
    return Question(question_id, text, ("yes", "no"), 0, "train")


def test_a_question_id_that_comes_twice_is_an_error():
    questions = [ask("q1", "gout"), ask("q2", "fever"), ask("q1", "toe")]
    with pytest.raises(DataError, match="question id q1 comes twice; expected ids that differ"):
        candidates.mine(Bm25(PASSAGES), questions, 2)


def test_too_few_passages_are_said_in_one_line(capsys):
    pools = candidates.mine(Bm25(PASSAGES), [ask("q1", "gout"), ask("q2", "fever"), ask("q3", "unheard")], 2)
    found = {name: [hit.passage_id for hit in pool] for name, pool in pools.items()}
    assert found == {"q1": ["p1", "p2"], "q2": ["p3"], "q3": []}
    line = "retrieval: 2 of 3 questions have fewer than 2 passages to find, the fewest 0\n"
    assert line in capsys.readouterr().out


def test_full_pools_say_nothing(capsys):
    candidates.mine(Bm25(PASSAGES), [ask("q1", "gout")], 2)
    assert "fewer" not in capsys.readouterr().out
