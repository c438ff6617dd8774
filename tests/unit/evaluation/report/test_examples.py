from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmlr.answering.answered import Answered
from jmlr.evaluation.report.examples import choose, worked_examples
from jmlr.types import Hit, Passage, Question


def test_helped_and_hurt_come_first_and_there_are_ten(make: Callable[[int], Any]) -> None:
    made = make(150)
    of_test = [question for question in made.questions if question.split == "test"]
    kinds = [example.kind for example in worked_examples(of_test, made.answered, made.passages)]
    assert kinds == ["helped"] * 4 + ["hurt"] * 3 + ["both wrong"] * 2 + ["both right"]


def test_missing_kinds_leave_room_for_the_others() -> None:
    kinds = {f"q{number}": "both wrong" for number in range(20)} | {"h": "hurt"}
    chosen = choose(kinds)
    assert chosen[0] == "h"
    assert len(set(chosen)) == 10


def test_examples_are_spread_over_the_questions() -> None:
    assert choose({f"q{number}": "helped" for number in range(40)})[:1] == ["q0"]
    assert "q30" in choose({f"q{number}": "helped" for number in range(40)})


def test_an_example_holds_what_each_arm_chose_and_read() -> None:
    question = Question("q1", "?", ("MRI", "ECG"), 1, "test", gold_passage_ids=("p2",))
    answered = {
        "rag": [Answered("q1", (-1.0, -2.0), (0.7, 0.3), (Hit("p1", 4.0),), ("p1",))],
        "jmlr": [Answered("q1", (-2.0, -1.0), (0.2, 0.8), (Hit("p2", 5.0),), ("p2",))],
    }
    (example,) = worked_examples([question], answered, {"p1": Passage("p1", "One."), "p2": Passage("p2", "Two.")})
    assert (example.kind, [one.arm for one in example.shown]) == ("helped", ["rag", "jmlr"])
    assert [one.answer.chosen_index for one in example.shown] == [0, 1]
    assert [[(read.text, one.scores[read.passage_id]) for read in one.passages] for one in example.shown] == [
        [("One.", 4.0)],
        [("Two.", 5.0)],
    ]


def test_a_passage_that_is_gone_is_named_not_dropped() -> None:
    question = Question("q1", "?", ("MRI", "ECG"), 1, "test")
    answered = {"rag_gold": [Answered("q1", (-1.0, -2.0), (0.7, 0.3), (), ("gone",))]}
    (example,) = worked_examples([question], answered, {})
    assert (example.kind, example.shown[0].passages[0].passage_id) == ("wrong", "gone")


def test_no_arm_no_examples() -> None:
    assert worked_examples([Question("q1", "?", ("a", "b"), 0, "test")], {}, {}) == []
