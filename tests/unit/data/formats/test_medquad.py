from __future__ import annotations

import pytest

from jmlr.settings import SourceSettings
from jmlr.data.formats import medquad
from jmlr.errors import DataError

SOURCE = SourceSettings(path=".", format="medquad", licence="CC-BY-4.0")


def document(focus: str, *pairs: tuple[str, str]) -> str:
    body = "".join(
        f'<QAPair pid="{n}"><Question qid="1-{n}" qtype="{kind}">What about {focus} ? ?</Question>'
        f"<Answer>{answer}</Answer></QAPair>"
        for n, (kind, answer) in enumerate(pairs, start=1)
    )
    return (
        f'<?xml version="1.0"?><Document id="1" source="CDC"><Focus>{focus}</Focus><QAPairs>{body}</QAPairs></Document>'
    )


@pytest.fixture
def load_all(load):
    """Loads these documents as one source."""

    def loaded(folder, documents: list[str]):
        for number, content in enumerate(documents):
            (folder / f"{number:07}.xml").write_text(content, encoding="utf-8")
        return load(medquad, sorted(folder.glob("*.xml")), SOURCE)

    return loaded


def answer_on(focus: str) -> str:
    return f"Treatment of {focus} begins with rest and much water. It ends well."


FOCI = ["Gout", "Asthma", "Stroke", "Measles", "Migraine"]


def test_questions_have_four_options_of_other_foci_and_a_gold_passage(tmp_path, load_all):
    loaded = load_all(tmp_path, [document(focus, ("treatment", answer_on(focus))) for focus in FOCI])
    questions, _ = medquad.finish(loaded.questions, seed=1)
    assert len(questions) == 5
    texts = {passage.passage_id: passage.text for passage in loaded.passages}
    for question in questions:
        assert question.text == f"What about {question.subject}?"
        assert len(set(question.options)) == 4
        assert question.answer == f"Treatment of {question.subject} begins with rest and much water."
        assert question.answer in texts[question.gold_passage_ids[0]]
        assert question.question_type == "treatment"


def test_finish_depends_on_the_seed_alone(tmp_path, load_all):
    loaded = load_all(tmp_path, [document(focus, ("treatment", answer_on(focus))) for focus in FOCI])
    first, _ = medquad.finish(loaded.questions, 1)
    assert medquad.finish(loaded.questions, 1)[0] == first
    assert medquad.finish(loaded.questions, 2)[0] != first
    assert len({question.answer_index for question in medquad.finish(loaded.questions, 3)[0]}) > 1


def test_types_of_fewer_than_four_foci_are_rejected(tmp_path, load_all):
    loaded = load_all(tmp_path, [document(focus, ("treatment", answer_on(focus))) for focus in FOCI[:3]])
    questions, rejected = medquad.finish(loaded.questions, 1)
    assert not questions
    assert {row.reason for row in rejected} == {"fewer than 4 foci of its question type"}


def test_a_focus_that_names_another_is_no_distractor(tmp_path, load_all):
    foci = ["Breast Cancer", "Male Breast Cancer", "Gout", "Asthma", "Stroke"]
    loaded = load_all(tmp_path, [document(focus, ("treatment", answer_on(focus))) for focus in foci])
    for seed in range(5):
        for question in medquad.finish(loaded.questions, seed)[0]:
            if question.subject == "Breast Cancer":
                assert not any("Male" in option for option in question.options)


def test_a_sentence_shared_between_foci_is_not_the_answer(tmp_path, load_all):
    shared = "New kinds of care are tested in clinical trials. "
    loaded = load_all(tmp_path, [document(focus, ("research", shared + answer_on(focus))) for focus in FOCI])
    assert all(question.answer.startswith("Treatment of") for question in medquad.finish(loaded.questions, 1)[0])
    loaded = load_all(tmp_path, [document(focus, ("research", shared)) for focus in FOCI])
    assert {row.reason for row in medquad.finish(loaded.questions, 1)[1]} == {"no key sentence of its own"}


def test_removed_answers_are_rejected_with_file_and_pair(tmp_path, load_all):
    loaded = load_all(tmp_path, [document("Abacavir", ("usage", ""), ("treatment", "Too short."))])
    assert [(row.row, row.reason) for row in loaded.rejected] == [
        ("1", "answer missing"),
        ("2", "answer too short for an option"),
    ]
    assert [passage.text for passage in loaded.passages] == ["Too short."]


def test_other_spelling_of_tags_is_read(tmp_path, load_all):
    content = (
        '<doc docid="7" corpus="NINDS"><doctitle-focus>Holmes-Adie</doctitle-focus><qaPairs><pair pid="1">'
        f'<question qtype="treatment">is there any?</question><answer>{answer_on("it")}</answer></pair></qaPairs></doc>'
    )
    loaded = load_all(tmp_path, [content])
    assert loaded.passages[0].passage_id == "medquad:NINDS:0000000-1"
    assert loaded.questions[0].subject == "Holmes-Adie"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><Document/>', "line 1: a DOCTYPE declaration"),
        ("\n<Document><Focus>Gout</Document>", "line 2: broken XML: mismatched tag"),
        ("<Document><Focus>Gout</Focus></Document>", "element Document: no question-answer pairs"),
        ("<Document><QAPairs/></Document>", "element Document: no focus"),
        ("<Document><Focus>Gout</Focus><QAPair pid='3'/></Document>", "pair 3: no Question or no pid"),
    ],
)
def test_broken_files_are_errors(tmp_path, content, message, load_all):
    with pytest.raises(DataError, match=message):
        load_all(tmp_path, [content])


def test_key_sentences_are_verbatim_and_short():
    text = "Key Points - " + " ".join(f"Word{n}" for n in range(40)) + ". And then it ends with one more."
    sentences = medquad.key_sentences(text)
    assert [len(sentence.split()) for sentence in sentences] == [25, 7]
    assert sentences[0].startswith("Word0 ")
    assert all(sentence in text for sentence in sentences)
