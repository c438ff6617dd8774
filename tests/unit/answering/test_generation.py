"""What the reader writes: batches of unequal prompts say what each prompt alone says; strict reading never guesses."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from jmlr.answering.answerer import Answerer
from jmlr.answering.generation import rationale_in, say, strict_choice
from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.models.reader import answer_token_losses
from jmlr.settings import params
from jmlr.types import Hit, Question

ASKED = Question("q1", "?", ("Joint fluid microscopy", "ECG", "ecg.", "Biopsy"), 0, "test")


@pytest.fixture
def answerer(repository, prompt_settings, tiny_tokenizer, tiny_passages, make_tiny_reader):
    settings = params.load(repository / "params.yaml")
    evaluate = settings.evaluate.model_copy(update={"questions_per_batch": 3})
    train = settings.train.model_copy(update={"read_passages": 2})
    settings = settings.model_copy(update={"evaluate": evaluate, "train": train, "prompt": prompt_settings})
    by_id = {passage.passage_id: passage for passage in tiny_passages}
    return Answerer(make_tiny_reader().eval(), PromptWriter(tiny_tokenizer, prompt_settings), by_id, settings)


def greedy(answerer, question, hits, tokens):
    """The likeliest token after the prompt, again and again, without cache, padding or batch."""
    passages = [answerer.passages[hit.passage_id] for hit in hits[:2]]
    ids = list(answerer.writer.write(question, 0, passages).prompt_ids)
    start = len(ids)
    with torch.no_grad():
        for _ in range(tokens):
            ids.append(int(answerer.reader(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == answerer.writer.tokenizer.eos_token_id:
                break
    return answerer.writer.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()


def test_a_batch_says_what_each_prompt_alone_says(answerer, tiny_questions):
    hits = {
        question.question_id: [Hit("p03", 1.0), Hit("p01", 0.5), Hit("p02", 0.1)][: number % 4]
        for number, question in enumerate(tiny_questions)
    }
    said = say(answerer, tiny_questions, hits, 6)
    assert said == {
        question.question_id: greedy(answerer, question, hits[question.question_id], 6) for question in tiny_questions
    }


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("joint  fluid microscopy.", "text", 0),
        ("Biopsy", "text", 3),
        ("ECG", "text", None),  # two options read alike
        ("the biopsy", "text", None),
        ("", "text", None),
        ("D", "letter", 3),
        ("(d)", "letter", None),
        ("E. none", "letter", None),
        ("D because it shows crystals", "letter", 3),
        ("Definitely biopsy", "letter", None),
        ("D. Biopsy", "letter_text", 3),
        ("D. ECG", "letter_text", None),
        ("Biopsy", "letter_text", None),
        ("D. It shows crystals.", "letter_rationale", 3),
        ("D", "letter_rationale", 3),
        ("A man of 57 has gout", "letter_rationale", None),
        ("(D) It shows crystals.", "letter_rationale", None),
        ("E. None of these", "letter_rationale", None),
        ("It shows crystals.", "letter_rationale", None),
    ],
)
def test_strict_reading(text, form, expected):
    assert strict_choice(text, ASKED, form) == expected


@pytest.mark.parametrize("kind", ["starter", "llama_legacy"])
def test_a_reader_that_was_taught_rationales_writes_letter_and_rationale(
    answerer, tiny_questions, make_tiny_reader, tokenizer_of_kind, kind
):
    """Questions with and without a rationale; weighed by letter, and read from what is written."""
    tokenizer = answerer.writer.tokenizer
    if kind != "starter":
        tokenizer = tokenizer_of_kind(kind)
        answerer.reader = make_tiny_reader(vocab_size=len(tokenizer))
    because = {0: "gout is pain in the toe", 2: "kidney stone and blood"}
    asked = [
        dataclasses.replace(question, answer_index=number, rationale=because.get(number, ""))
        for number, question in enumerate(tiny_questions[:4])
    ]
    changes = {"options": "shown", "answer": "letter_rationale", "answer_tokens": 40}
    answerer.writer = PromptWriter(tokenizer, answerer.writer.settings.model_copy(update=changes))
    batch = pad([answerer.writer.write_taught(question) for question in asked], 0)
    optimizer = torch.optim.AdamW(answerer.reader.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        answer_token_losses(answerer.reader, batch)[0].mean().backward()
        optimizer.step()
    nothing = {question.question_id: [] for question in asked}
    said = [say(answerer, asked, nothing, 41)[question.question_id] for question in asked]
    assert said == ["A. gout is pain in the toe", "B", "C. kidney stone and blood", "D"]
    assert [strict_choice(text, one, "letter_rationale") for text, one in zip(said, asked, strict=True)] == [0, 1, 2, 3]
    assert [rationale_in(text, "letter_rationale") for text in said] == [because.get(number, "") for number in range(4)]
    assert [answered.chosen_index for answered in answerer.read(asked, nothing)] == [0, 1, 2, 3]
