"""What the reader writes: batches of unequal prompts say what each prompt alone says; strict reading never guesses."""

from __future__ import annotations

import pytest
import torch

from jmlr import config
from jmlr.answering.answerer import Answerer
from jmlr.answering.generation import say, strict_choice
from jmlr.models.prompt import PromptWriter
from jmlr.types import Hit, Question

ASKED = Question("q1", "?", ("Joint fluid microscopy", "ECG", "ecg.", "Biopsy"), 0, "test")


@pytest.fixture
def answerer(repository, prompt_settings, tiny_tokenizer, tiny_passages, make_tiny_reader):
    settings = config.load(repository / "params.yaml")
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
    ],
)
def test_strict_reading(text, form, expected):
    assert strict_choice(text, ASKED, form) == expected
