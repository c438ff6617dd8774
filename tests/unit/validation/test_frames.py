from __future__ import annotations

from jmlr.types import Leak, Passage, Question
from jmlr.validation.frames import passages_frame, questions_frame
from jmlr.validation.identities import Identities

PASSAGES = [Passage("p1", "Gout hurts much.")]
KNOWN = Identities([["p1"]])


def question(question_id: str = "q1", **changes) -> Question:
    values = {"text": "Which?", "options": ("MRI", "ECG"), "answer_index": 1, "split": "train", **changes}
    return Question(question_id, **values)


def test_rows_of_an_id_are_those_of_the_whole_table():
    known = Identities([["p1", "p2"], ["p1"]])
    frame = passages_frame([*PASSAGES, Passage("p2", "It passes.")], known)
    assert frame["rows_of_id"].tolist() == [2, 1]


def test_derived_columns_tell_what_is_wrong_with_a_row():
    frame = questions_frame(
        [
            question("q1", gold_passage_ids=("p1", "p9")),
            question("q2", answer_index=2, options=("ECG", "ecg "), split="test"),
            question("q2", options=("", "b")),
        ],
        KNOWN,
        [],
    ).astype(object)
    assert frame["unknown_gold_passages"].tolist() == ["p9", "", ""]
    assert frame["answer_in_options"].tolist() == ["yes", "no", "yes"]
    assert frame["duplicated_options"].tolist() == [0, 1, 0]
    assert frame["empty_options"].tolist() == [0, 0, 1]
    assert frame["rows_of_id"].tolist() == [1, 2, 2]
    assert frame["splits_of_id"].tolist() == [1, 2, 2]
    assert [round(share, 2) for share in frame["answer_letter_share"]] == [0.67, 0.33, 0.67]


def test_leaked_test_questions_name_what_holds_them():
    leaks = [
        Leak("q1", "question", "training question", "q7", "exact", 1.0),
        Leak("q1", "rationale", "training question", "q7", "near", 0.8),
        Leak("q1", "question", "training question", "q8", "near", 0.9),
        Leak("q2", "rationale", "passage", "p1", "near", 0.7),
        Leak("q4", "question", "passage", "p1", "near", 0.7),
    ]
    rows = [question("q1", split="test"), question("q2", split="test_seen"), question("q4", split="dev")]
    frame = questions_frame(rows, KNOWN, leaks)
    assert frame["leaked_from_training"].astype(object).tolist()[:2] == ["q7 | q8", ""]
    assert frame["leaked_from_passages"].astype(object).tolist()[:2] == ["", "p1"]
    assert frame["leaked_from_training"].isna().tolist() == [False, False, True]
    assert frame["leaked_from_passages"].isna().tolist() == [False, False, True]


def test_health_information_is_masked_in_every_column_of_a_passage():
    passage = Passage("p1", "Call 301-496-5248 for MRN 0048213.", title="SSN 219-09-4321")
    frame = passages_frame([*PASSAGES, passage], KNOWN)
    assert frame["phi_mrn"].tolist() == ["", "00***13"]
    assert frame["phi_ssn"].tolist() == ["", "21***21"]
    assert frame["phi_phone"].tolist() == ["", "30***48"]
    assert frame["phi_email"].tolist() == ["", ""]
    assert frame["text"].tolist() == ["Gout hurts much.", "Call 30***48 for MRN 00***13."]
    assert "0048213" not in frame.to_csv()
    assert "219-09" not in frame.to_csv()


def test_health_information_is_found_in_options_and_rationale_too():
    row = question(text="Who?", options=("ann@clinic.org", "MRN 0048213"), rationale="Her SSN is 219-09-4321.")
    frame = questions_frame([row], KNOWN, [])
    found = frame[["phi_email", "phi_mrn", "phi_ssn", "options", "rationale"]].iloc[0].tolist()
    assert found == ["an***rg", "00***13", "21***21", "an***rg | MRN 00***13", "Her SSN is 21***21."]


def test_empty_tables_keep_their_columns():
    assert {"leaked_from_training", "phi_ssn"} <= set(questions_frame([], Identities(), []).columns)
    assert {"rows_of_id", "phi_ssn"} <= set(passages_frame([], Identities()).columns)
