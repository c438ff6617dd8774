from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from jmlr.commands.serve import predict
from jmlr.commands.serve import predict as batch
from jmlr.errors import DataError, JmlrError
from jmlr.files import alone
from jmlr.settings import Settings, params

ROWS = [
    {"question_id": f"q{number}", "question": f"Which test, {number}?", "options": ["MRI", "ECG"]}
    for number in range(5)
]


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    table = pd.DataFrame(rows)
    if file.suffix == ".parquet":
        table.to_parquet(file)
    elif file.suffix == ".jsonl":
        table.to_json(file, orient="records", lines=True)
    else:
        table.assign(options=table["options"].map(json.dumps)).to_csv(file, index=False)
    return file


@pytest.mark.parametrize("kind", [".parquet", ".jsonl", ".csv"])
def test_all_kinds_of_table_give_the_same_pieces(tmp_path: Path, kind: str) -> None:
    pieces = list(batch.read_pieces(write(tmp_path / f"asked{kind}", ROWS), 2))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    rows = [row for piece in pieces for row in piece.to_dict("records")]
    assert [{**row, "options": list(row["options"])} for row in rows] == ROWS


@pytest.mark.parametrize("kind", [".jsonl", ".csv"])
def test_a_byte_order_mark_is_no_part_of_the_table(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / f"asked{kind}", ROWS)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert [list(piece["question"]) for piece in batch.read_pieces(file, 9)] == [[row["question"] for row in ROWS]]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("asked.txt", "?", r"cannot be read \(a \.txt file\)"),
        ("asked.parquet", "PAR1", "cannot be read"),
        ("asked.jsonl", "{]", "cannot be read"),
        ("asked.jsonl", '{"question": "?"}\n\n[1]', r"cannot be read \(row 1: a list, not an object"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_told(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"(?s){name}: {told}.*columns question and options"):
        list(batch.read_pieces(tmp_path / name, 2))


def test_a_row_is_named_by_its_place_in_the_whole_table(tmp_path: Path) -> None:
    file = write(tmp_path / "asked.jsonl", [*ROWS[:3], {**ROWS[3], "question": ""}])
    with pytest.raises(DataError, match="row 3, column question: empty"):
        batch.check_pieces(file, 2)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**ROWS[3], "question": "gout\ud800 or not"}, "row 3, column question: "),
        ({**ROWS[3], "options": ["MRI", "ECG\udc00"]}, "row 3, column options, 1: "),
    ],
)
def test_half_a_character_is_refused_and_not_dropped(tmp_path: Path, row: dict[str, object], told: str) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in [*ROWS[:3], row]))
    with pytest.raises(DataError, match=told):
        batch.check_pieces(file, 2)


def test_numbers_and_dates_in_a_column_of_texts_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"question_id": 7, "question": "2020-01-01"}\n{"question": "12"}\n')
    (piece,) = batch.read_pieces(file, 9)
    assert piece["question"].tolist() == ["2020-01-01", "12"]
    assert str(piece["question_id"][0]) == "7"


@pytest.fixture
def settings(unit: object, model_name: str) -> Settings:
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["track"]["registered_model"] = model_name
    return params.parse(raw)


def test_the_stage_answers_every_row_once_and_leaves_one_table(
    enter: Callable[..., tuple], settings: Settings, tmp_path: Path
) -> None:
    enter()
    (tmp_path / "out").mkdir()
    predict.run(settings, write(tmp_path / "asked.jsonl", ROWS), tmp_path / "out" / "said.parquet", "@challenger")
    said = pq.read_table(tmp_path / "out" / "said.parquet").to_pylist()
    assert [(row["row"], row["question_id"], row["question"]) for row in said] == [
        (number, row["question_id"], row["question"]) for number, row in enumerate(ROWS)
    ]
    assert {row["answer"] for row in said} == {"MRI"}
    assert said[0]["passages"][0]["text"] == "Gout hurts."
    assert said[0]["model"]["version"] == "1"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["said.parquet"]


def test_what_was_answered_before_a_cut_is_not_answered_again(tmp_path: Path) -> None:
    answered: list[int] = []

    def answer(piece: pd.DataFrame) -> list[dict[str, Any]]:
        if len(answered) == 1:
            raise KeyboardInterrupt
        return [{"answer": "MRI", "answer_index": 0} for _ in range(len(piece))]

    def pieces():
        return batch.read_pieces(write(tmp_path / "asked.jsonl", ROWS), 2)

    with pytest.raises(KeyboardInterrupt):
        answered.extend(batch.predict_pieces(pieces(), answer, tmp_path / "parts"))
    seen: list[int] = []
    again = batch.predict_pieces(
        pieces(), lambda piece: seen.append(len(piece)) or [{"answer": "ECG"}] * len(piece), tmp_path / "parts"
    )
    assert list(again) == [2, 2, 1]
    assert seen == [2, 1]
    batch.join(tmp_path / "parts", tmp_path / "said.parquet")
    assert pq.read_table(tmp_path / "said.parquet")["answer"].to_pylist() == ["MRI", "MRI", "ECG", "ECG", "ECG"]
    assert not (tmp_path / "parts").exists()


def test_nothing_is_answered_where_a_row_cannot_be(
    enter: Callable[..., tuple], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter()
    monkeypatch.setattr(predict, "load", lambda *_: pytest.fail("the model was loaded"))
    file = write(tmp_path / "asked.jsonl", [*ROWS, {**ROWS[0], "options": ["MRI"]}])
    with pytest.raises(DataError, match=r"asked\.jsonl: row 5, column options: 1 options"):
        predict.run(settings, file, tmp_path / "said.parquet", "@challenger")
    assert not (tmp_path / "said.parquet").exists()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("asked.parquet", "it is the table of questions itself"),
        ("out/../asked.parquet", "it is the table of questions itself"),
        ("link.parquet", "it is the table of questions itself"),
        ("hard.parquet", "it is the table of questions itself"),
        ("answers.csv", "a name that ends in .csv"),
        ("answers", "a name that ends in nothing"),
        ("out", "a folder"),
        ("out/folder.parquet", "a folder"),
    ],
)
def test_answers_never_overwrite_the_questions_or_go_by_a_name_that_misleads(
    settings: Settings, tmp_path: Path, output: str, told: str
) -> None:
    file = write(tmp_path / "asked.parquet", ROWS)
    before = file.read_bytes()
    (tmp_path / "link.parquet").symlink_to(file)
    (tmp_path / "hard.parquet").hardlink_to(file)
    (tmp_path / "out/folder.parquet").mkdir(parents=True)
    with pytest.raises(DataError, match=f"(?s){told}; expected a .parquet file.*jmlr predict .*answers.parquet"):
        predict.run(settings, file, tmp_path / output, "@challenger")
    assert file.read_bytes() == before


def test_a_second_one_into_the_same_table_is_refused_and_work_for_another_input_is_kept(
    enter: Callable[..., tuple], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter()
    asked = write(tmp_path / "asked.jsonl", ROWS), tmp_path / "said.parquet", "@challenger"
    others = tmp_path / ".said.parquet.0123456789ab.parts"
    others.mkdir()
    with (
        alone(tmp_path / ".said.parquet.lock", "answers"),
        pytest.raises(JmlrError, match="answers into .*said.parquet"),
    ):
        predict.run(settings, *asked)
    predict.run(settings, *asked)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] in ".s") == [others.name, "said.parquet"]
    assert f"{others} has answers to another input" in " ".join(capsys.readouterr().out.split())
