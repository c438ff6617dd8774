"""Answering: every option weighed as if it were alone, the best hits read, the closed book without any."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from jmlr.answering.answerer import Answerer
from jmlr.answering.option_orders import read_in_every_order
from jmlr.errors import DataError, MissingResource, TrainingFailed
from jmlr.evaluation.certainty import over_orders
from jmlr.evaluation.predictions import prediction
from jmlr.evaluation.statistics.accuracy import outcomes
from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.settings import Settings, params
from jmlr.types import Hit, Question

pytestmark = pytest.mark.numerical


@pytest.fixture
def settings(repository: Path, prompt_settings) -> Settings:
    settings = params.load(repository / "params.yaml")
    evaluate = settings.evaluate.model_copy(update={"questions_per_batch": 5})
    train = settings.train.model_copy(update={"read_passages": 2})
    return settings.model_copy(update={"evaluate": evaluate, "train": train, "prompt": prompt_settings})


@pytest.fixture
def make_answerer(settings, tiny_tokenizer, tiny_passages, make_tiny_reader):
    def make(searcher=None, **prompt_changes) -> Answerer:
        writer = PromptWriter(tiny_tokenizer, settings.prompt.model_copy(update=prompt_changes))
        by_id = {passage.passage_id: passage for passage in tiny_passages}
        return Answerer(make_tiny_reader(), writer, by_id, settings, searcher)

    return make


class FixedSearcher:
    """Finds the same three passages for every question, but in an order that differs."""

    def search(self, texts, count):
        orders = [("p03", "p01", "p02"), ("p02", "p03", "p01")]
        return [[Hit(name, 3.0 - n) for n, name in enumerate(orders[i % 2])][:count] for i in range(len(texts))]


def slow_scores(answerer: Answerer, question, passage_ids) -> list[float]:
    """Mean log-likelihood of every option, each prompted and read alone."""
    passages = [answerer.passages[passage_id] for passage_id in passage_ids]
    scores = []
    with torch.no_grad():
        for option in range(len(question.options)):
            prompted = answerer.writer.write(question, option, passages)
            scores.append(-readers.answer_losses(answerer.reader, pad([prompted], 0)).item())
    return scores


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"options": "shown"},
        {"options": "shown", "answer": "letter_text"},
        {"options": "shown", "answer": "letter_rationale"},
    ],
)
def test_options_score_as_if_each_were_alone(make_answerer, tiny_questions, form):
    answerer = make_answerer(FixedSearcher(), **form)
    for question, answered in zip(tiny_questions, answerer.answer(tiny_questions), strict=True):
        assert answered.question_id == question.question_id
        assert list(answered.option_scores) == pytest.approx(
            slow_scores(answerer, question, answered.read_passage_ids), rel=2e-5
        )
        assert sum(answered.option_probabilities) == pytest.approx(1.0)


def test_the_order_of_options_does_not_matter(make_answerer, tiny_questions):
    answerer = make_answerer()
    turned = [dataclasses.replace(question, options=question.options[::-1]) for question in tiny_questions]
    for one, other in zip(answerer.answer(tiny_questions), answerer.answer(turned), strict=True):
        assert list(one.option_scores) == pytest.approx(other.option_scores[::-1], rel=2e-5)


def test_the_best_hits_are_read_and_all_are_kept(make_answerer, tiny_questions):
    answered = make_answerer(FixedSearcher()).answer(tiny_questions[:2])
    assert [each.read_passage_ids for each in answered] == [("p03", "p01"), ("p02", "p03")]
    assert [hit.passage_id for hit in answered[1].hits] == ["p02", "p03", "p01"]


def test_passages_that_do_not_fit_the_context_are_not_said_to_be_read(make_answerer, tiny_questions):
    free = make_answerer(FixedSearcher())
    best = [free.passages["p03"]]
    longest = max(len(free.writer.write(question, 0, best).prompt_ids) for question in tiny_questions[:1])
    bounded = make_answerer(FixedSearcher(), context_tokens=longest + free.settings.prompt.answer_tokens + 1)
    (answered,) = bounded.answer(tiny_questions[:1])
    assert answered.read_passage_ids == ("p03",)
    assert len(answered.hits) == 3
    assert list(answered.option_scores) == pytest.approx(slow_scores(free, tiny_questions[0], ["p03"]), rel=2e-5)


def test_questions_may_differ_in_their_number_of_options(make_answerer, tiny_questions):
    few = dataclasses.replace(tiny_questions[0], options=tiny_questions[0].options[:2])
    answered = make_answerer().answer([few, tiny_questions[1]])
    assert [len(each.option_scores) for each in answered] == [2, 4]


def test_the_closed_book_reads_nothing(make_answerer, tiny_questions):
    answered = make_answerer().answer(tiny_questions)
    assert {(each.hits, each.read_passage_ids) for each in answered} == {((), ())}


def test_no_questions_give_no_answers(make_answerer):
    assert make_answerer().answer([]) == []


def test_a_question_id_that_comes_twice_is_refused(make_answerer, tiny_questions):
    twins = [tiny_questions[0], dataclasses.replace(tiny_questions[1], question_id=tiny_questions[0].question_id)]
    for answerer in (make_answerer(), make_answerer(FixedSearcher())):
        with pytest.raises(DataError, match="question id q0 comes twice"):
            answerer.answer(twins)


def test_hits_belong_to_their_question_whatever_the_order(make_answerer, tiny_questions):
    answerer = make_answerer(FixedSearcher())
    hits = answerer.retrieve(tiny_questions[:2])
    assert list(hits) == ["q0", "q1"]
    turned = answerer.read(tiny_questions[:2][::-1], hits)
    assert [each.read_passage_ids for each in turned] == [("p02", "p03"), ("p03", "p01")]


def test_a_question_nothing_was_retrieved_for_is_refused(make_answerer, tiny_questions):
    with pytest.raises(DataError, match="question q1: nothing was retrieved for it"):
        make_answerer().read(tiny_questions[:2], {"q0": []})


def test_batches_are_of_like_lengths_and_answers_keep_the_order_of_the_questions(
    make_answerer, tiny_questions, monkeypatch
):
    answerer, given = make_answerer(FixedSearcher()), []
    read_batch = Answerer._read_batch
    monkeypatch.setattr(
        Answerer, "_read_batch", lambda self, batch, hits: given.append(list(batch)) or read_batch(self, batch, hits)
    )
    long = dataclasses.replace(tiny_questions[5], text=" ".join([tiny_questions[5].text] * 3))
    asked = [*tiny_questions[:5], long, *tiny_questions[6:]]
    assert [answered.question_id for answered in answerer.answer(asked)] == [one.question_id for one in asked]
    hits = answerer.retrieve(asked)
    read = {name: [answerer.passages[hit.passage_id] for hit in row[:2]] for name, row in hits.items()}
    ordered = [one for batch in given for one in batch]
    tokens = [len(answerer.writer.write(one, 0, read[one.question_id]).prompt_ids) for one in ordered]
    assert given[0][0] == long
    assert tokens == sorted(tokens, reverse=True)
    assert [len(batch) for batch in given] == [5, 5, 2]


def test_a_reader_whose_logits_would_be_computed_wrongly_is_refused(
    settings, tiny_passages, one_thread, tiny_tokenizer, tmp_path
):
    torch.manual_seed(0)
    bloom = BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=len(tiny_tokenizer), initializer_range=0.5)
    folder = tmp_path / "bloom"
    BloomForCausalLM(bloom).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    eager = settings.train.model_copy(
        update={"reader": settings.train.reader.model_copy(update={"attention": "eager"})}
    )
    with pytest.raises(TrainingFailed, match="(?s)the reader BloomForCausalLM .*take another reader"):
        Answerer.load_reader(folder, tiny_passages, settings.model_copy(update={"train": eager}))


def test_a_missing_reader_is_named(settings, tiny_passages, tmp_path):
    with pytest.raises(MissingResource, match="the reader cannot be loaded"):
        Answerer.load_reader(tmp_path / "nowhere", tiny_passages, settings)


def test_options_that_are_equal_once_cut_are_no_answer_whatever_place_they_have(make_answerer):
    answerer = make_answerer(FixedSearcher(), answer_tokens=4)
    same = "kidney stone blood urine "
    asked = [
        Question("q1", "fever?", (f"{same}fever", f"{same}cough"), 0, "test"),
        Question("q2", "fever?", (f"{same}fever", "itch", f"{same}cough"), 1, "test"),
    ]
    nothing = {question.question_id: [] for question in asked}
    one, two = answerer.read(asked, nothing)
    assert one.option_scores[0] == one.option_scores[1]
    assert two.option_scores[0] == two.option_scores[2] != two.option_scores[1]
    assert one.chosen_index is None
    assert one.chosen(asked[0].options).startswith("no answer")
    assert two.chosen_index == (1 if two.option_scores[1] > two.option_scores[0] else None)
    assert outcomes(asked[:1], [one], "rag").tolist() == [False]
    assert read_in_every_order(answerer, asked[:1], nothing) == {"q1": (None, None)}
    assert over_orders(asked[:1], {"q1": (None, None)}, answerer.settings.evaluate)["consistency"]["value"] == 0
    row = prediction(asked[0], "rag", one)
    assert (row["chosen_index"], row["correct"]) == (None, False)
