"""The circuit before any training: one head looks back, the next finds what followed, and copying is preferred."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch
from transformers import LlamaForCausalLM

from jmlr.settings import StarterReaderSettings
from jmlr.starter import induction
from jmlr.starter.base_reader import build

SETTINGS = StarterReaderSettings(
    vocabulary_tokens=400, hidden_size=128, layers=3, heads=4, steps=1, items_per_step=1, learning_rate=1e-3
)
LENGTH, DRAWS = 40, 60


def draw_repeats(vocabulary: int, seed: int) -> list[tuple[torch.Tensor, int]]:
    """Rows of different tokens whose last token repeats the one at a place; returns rows and places."""
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(DRAWS):
        tokens = torch.randperm(vocabulary - 3, generator=draw)[:LENGTH] + 3
        place = int(torch.randint(1, LENGTH - 10, (1,), generator=draw))
        rows.append((torch.cat([tokens, tokens[place : place + 1]])[None], place))
    return rows


@torch.no_grad()
def copying(model: LlamaForCausalLM, seed: int) -> float:
    """How many standard deviations the logit of the token that followed before stands above the mean, on average."""
    above = []
    for row, place in draw_repeats(model.config.vocab_size, seed):
        logits = model(row).logits[0, -1]
        above.append(float((logits[row[0, place + 1]] - logits.mean()) / logits.std()))
    return fmean(above)


@pytest.fixture
def built(one_thread, tiny_tokenizer):
    return [build(SETTINGS, tiny_tokenizer, seed).eval() for seed in range(3)]


def test_an_untrained_model_prefers_the_token_that_followed_before(built, tiny_tokenizer, monkeypatch):
    installed = fmean(copying(model, seed) for seed, model in enumerate(built))
    monkeypatch.setattr(induction, "install", lambda model, seed: None)
    plain = fmean(copying(build(SETTINGS, tiny_tokenizer, seed).eval(), seed) for seed in range(3))
    assert installed > 0.25
    assert abs(plain) < 0.15


def test_the_first_layer_looks_at_the_previous_token_and_the_second_at_what_followed(built):
    back, found = [], []
    for seed, model in enumerate(built):
        model.set_attn_implementation("eager")
        for row, place in draw_repeats(model.config.vocab_size, seed)[:20]:
            with torch.no_grad():
                first, second, *_ = model(row, output_attentions=True).attentions
            back.append(float(first[0, :, -1, -2].mean()))
            found.append(float(second[0, :, -1, place + 1].mean()))
    assert fmean(back) > 0.4
    assert fmean(found) > 4 / LENGTH


class ThousandTokens:
    """As much of a tokenizer as a model is built from; so many tokens that random ones are hardly alike."""

    pad_token_id, bos_token_id, eos_token_id = 0, 1, 2

    def __len__(self):
        return 1000


def test_of_two_equal_matches_the_nearer_one_is_looked_at_more(one_thread):
    near, far = [], []
    for seed in range(3):
        model = build(SETTINGS, ThousandTokens(), seed).eval()
        model.set_attn_implementation("eager")
        draw = torch.Generator().manual_seed(seed)
        for _ in range(15):
            tokens = torch.randint(4, len(ThousandTokens()), (180,), generator=draw)
            tokens[[30, 110, -1]] = 3
            with torch.no_grad():
                second = model(tokens[None], output_attentions=True).attentions[1]
            far.append(float(second[0, :, -1, 31].mean()))
            near.append(float(second[0, :, -1, 111].mean()))
    assert fmean(near) > 1.6 * fmean(far) > 0.05


def test_the_seed_decides(tiny_tokenizer):
    one, again, other = (build(SETTINGS, tiny_tokenizer, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])
