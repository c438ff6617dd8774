"""The history remembers and hands on."""

from __future__ import annotations

from jmlr.training.sink import History


class Recorder:
    def __init__(self) -> None:
        self.logged = []

    def log(self, step, values):
        self.logged.append((step, dict(values)))


def test_history_remembers_in_order_and_hands_on():
    recorder = Recorder()
    history = History("jmlr", recorder)
    history.log(1, {"reader_loss": 2.0, "retriever_loss": 0.5})
    history.log(2, {"reader_loss": 1.5})
    assert recorder.logged == [(1, {"reader_loss": 2.0, "retriever_loss": 0.5}), (2, {"reader_loss": 1.5})]
    assert [(row["arm"], row["step"], row["name"], row["value"]) for row in history.rows] == [
        ("jmlr", 1, "reader_loss", 2.0), ("jmlr", 1, "retriever_loss", 0.5), ("jmlr", 2, "reader_loss", 1.5),
    ]  # fmt: skip


def test_seconds_are_handed_on_but_not_remembered():
    recorder = Recorder()
    history = History("jmlr", recorder)
    history.log(1, {"reader_loss": 2.0, "refresh_seconds": 17.0})
    assert recorder.logged == [(1, {"reader_loss": 2.0, "refresh_seconds": 17.0})]
    assert [row["name"] for row in history.rows] == ["reader_loss"]


def test_a_history_with_a_file_goes_on_where_another_process_was_cut_off(tmp_path):
    first = History("jmlr", None, tmp_path / "history.jsonl")
    for step in (1, 2, 3):
        first.log(step, {"reader_loss": float(step)})
    second = History("jmlr", None, tmp_path / "history.jsonl")
    second.log(3, {"reader_loss": 30.0})
    second.log(4, {"reader_loss": 4.0})
    assert [(row["step"], row["value"]) for row in second.rows] == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 4.0)]
    assert History("jmlr", None, tmp_path / "history.jsonl").rows == second.rows


def test_a_line_that_a_killed_process_left_unfinished_is_dropped(tmp_path):
    file = tmp_path / "history.jsonl"
    History("jmlr", None, file).log(1, {"reader_loss": 1.0})
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"arm": "jmlr", "st')
    history = History("jmlr", None, file)
    history.log(2, {"reader_loss": 2.0})
    assert [(row["step"], row["value"]) for row in History("jmlr", None, file).rows] == [(1, 1.0), (2, 2.0)]
