"""The base reader's pre-training writes a folder that loads, and does so the same way twice."""

from __future__ import annotations

import pytest
import torch

from jmlr.errors import DataError
from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.starter import tokenizer as starter_tokenizer
from jmlr.starter.base_reader import create
from jmlr.starter.tokenizer import frequent_words, train_tokenizer

TEXTS = ["Gout typically presents with a painful swollen toe and fever.", "Avoid aspirin, colchicine helps."] * 5


@pytest.fixture(autouse=True)
def few_invented_texts(monkeypatch, one_thread):
    monkeypatch.setattr(starter_tokenizer, "SAMPLE_CONTEXTS", 20)


@pytest.fixture
def made(tmp_path, starter_reader_settings, prompt_settings):
    return create(tmp_path / "reader", TEXTS, starter_reader_settings, prompt_settings, seed=1)


def test_three_steps_write_a_reader_that_loads_and_reads(
    made, tmp_path, prompt_settings, tiny_questions, tiny_passages
):
    reader, tokenizer = readers.load(tmp_path / "reader")
    assert len(made) == 3
    assert all(loss > 0 for loss in made)
    assert reader.config.vocab_size == len(tokenizer)
    assert reader.lm_head.weight is reader.model.embed_tokens.weight
    prompted = PromptWriter(tokenizer, prompt_settings).write(tiny_questions[0], 0, tiny_passages[:2])
    assert readers.answer_losses(reader, pad([prompted], tokenizer.pad_token_id)).isfinite().all()


def test_the_seed_decides(made, tmp_path, starter_reader_settings, prompt_settings):
    again = create(tmp_path / "again", TEXTS, starter_reader_settings, prompt_settings, seed=1)
    other = create(tmp_path / "other", TEXTS, starter_reader_settings, prompt_settings, seed=2)
    assert again == made != other
    one, two = (readers.load(tmp_path / name)[0].state_dict() for name in ("reader", "again"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_texts_without_a_latin_word_are_read_too_and_texts_without_any_refused(
    tmp_path, starter_reader_settings, prompt_settings
):
    texts = ["痛风急性发作期应尽早给予秋水仙碱。", "ให้ยาลดไข้"]
    assert len(create(tmp_path / "reader", texts, starter_reader_settings, prompt_settings, seed=1)) == 3
    with pytest.raises(DataError, match="no word in the passages"):
        create(tmp_path / "none", ["...", "?"], starter_reader_settings, prompt_settings, seed=1)


def test_some_steps_lower_the_loss(tmp_path, starter_reader_settings, prompt_settings):
    settings = starter_reader_settings.model_copy(update={"steps": 40, "learning_rate": 3e-3})
    losses = create(tmp_path / "reader", TEXTS, settings, prompt_settings, seed=1)
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - 0.5


def test_the_tokenizer_writes_any_text_without_an_unknown_token():
    tokenizer = train_tokenizer(TEXTS, 300)
    text = "Naïve β-blocker 50 µg\n→ ß"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)


def test_frequent_words_are_words_in_order(monkeypatch):
    monkeypatch.setattr(starter_tokenizer, "WORDS", 2)
    assert frequent_words(["fever and 3 fever", "x-ray and fever"]) == ["and", "fever"]
