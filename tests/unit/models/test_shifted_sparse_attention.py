"""S2-Attn: a slow loop with explicit masks, full attention in the limit, and a tiny Llama."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_all_close, assert_close
from torch.nn import functional

from jmlr.errors import TrainingFailed
from jmlr.models import reader as readers
from jmlr.models import shifted_sparse_attention as s2
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted
from jmlr.models.shifted_sparse_attention import attend, group_tokens, shifted_sparse_attention

pytestmark = pytest.mark.numerical


def random_qkv(length: int, heads: int = 4, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(2, heads, length, 8, generator=draw) for _ in range(3)]


def sees(query: int, key: int, group: int, shift: int) -> bool:
    """Whether a token sees another: not later, and in the same group; shifted groups begin half a group later."""

    def number_of(place: int) -> int:
        return -1 if place < shift else (place - shift) // group

    return key <= query and number_of(query) == number_of(key)


def slow_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: int) -> torch.Tensor:
    out = torch.zeros_like(query)
    heads, length, size = query.shape[1:]
    for head in range(heads):
        shift = group // 2 if head >= (heads + 1) // 2 and group < length else 0
        for place in range(length):
            seen = [other for other in range(length) if sees(place, other, group, shift)]
            weights = torch.softmax((key[:, head, seen] @ query[:, head, place, :, None])[..., 0] / size**0.5, dim=-1)
            out[:, head, place] = (weights[:, :, None] * value[:, head, seen]).sum(1)
    return out


@pytest.fixture
def layer() -> torch.nn.Module:
    module = torch.nn.Module()
    module.num_key_value_groups = 1
    return module.train()


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 16, 30])
@pytest.mark.parametrize("heads", [1, 3, 4])
def test_equals_a_slow_loop_at_any_length(length, heads):
    qkv = random_qkv(length, heads)
    group = group_tokens(length)
    assert_close(shifted_sparse_attention(*qkv, group), slow_attention(*qkv, group))


@pytest.mark.parametrize("group", [1, 2, 3, 7, 11, 12, 40])
def test_equals_a_slow_loop_with_any_group(group):
    qkv = random_qkv(12)
    assert_close(shifted_sparse_attention(*qkv, group), slow_attention(*qkv, group))


def test_one_group_is_full_causal_attention():
    qkv = random_qkv(10)
    full = functional.scaled_dot_product_attention(*qkv, is_causal=True)
    assert_close(shifted_sparse_attention(*qkv, group=10), full)


def test_no_token_sees_the_future_or_the_other_end():
    query, key, value = random_qkv(16)
    before = shifted_sparse_attention(query, key, value, 4)
    value = value.clone()
    value[:, :, 14:] = 1e3
    after = shifted_sparse_attention(query, key, value, 4)
    assert_close(after[:, :, :14], before[:, :, :14])
    assert not torch.allclose(after[:, :, 14:], before[:, :, 14:])


def test_right_padding_does_not_touch_real_tokens():
    query, key, value = random_qkv(16)
    other = [
        torch.cat((part[:, :, :11], torch.full_like(part[:, :, 11:], 50.0)), dim=2) for part in (query, key, value)
    ]
    assert_close(
        shifted_sparse_attention(*other, 4)[:, :, :11], shifted_sparse_attention(query, key, value, 4)[:, :, :11]
    )


@pytest.mark.parametrize("length", [5, 13, 16])
def test_gradients_equal_those_of_a_slow_loop(length):
    group, weights = group_tokens(length), torch.randn(2, 3, length, 8, generator=torch.Generator().manual_seed(9))
    found, expected = random_qkv(length, heads=3), random_qkv(length, heads=3)
    for qkv, attention in ((found, shifted_sparse_attention), (expected, slow_attention)):
        for part in qkv:
            part.requires_grad_()
        (attention(*qkv, group) * weights).sum().backward()
    for one, other in zip(found, expected, strict=True):
        assert_close(one.grad, other.grad)


def test_bfloat16_stays_bfloat16_and_near_the_exact_result():
    qkv = random_qkv(13)
    found = shifted_sparse_attention(*(part.bfloat16() for part in qkv), group_tokens(13))
    assert found.dtype == torch.bfloat16
    assert_close(found.float(), slow_attention(*qkv, group_tokens(13)), share=0.05)


def test_attend_repeats_key_value_heads_and_keeps_the_layout(layer):
    query, (key, value) = random_qkv(12)[0], [part[:, :2] for part in random_qkv(12, seed=1)[:2]]
    layer.num_key_value_groups = 2
    out, weights = attend(layer, query, key, value, None, scaling=8**-0.5, dropout=0.0, position_ids=None)
    repeated = [part[:, [0, 0, 1, 1]] for part in (key, value)]
    assert_close(out, slow_attention(query, *repeated, group_tokens(12)).transpose(1, 2))
    assert weights is None
    assert out.is_contiguous()


def test_evaluation_attends_fully(layer):
    qkv = random_qkv(12)
    out, _ = attend(layer.eval(), *qkv, None)
    assert_close(out, functional.scaled_dot_product_attention(*qkv, is_causal=True).transpose(1, 2))


def test_evaluation_hides_left_padding(layer):
    query, key, value = random_qkv(6)
    mask = torch.tensor([[False, False, True, True, True, True]] * 2)
    out, _ = attend(layer.eval(), query, key, value, mask)
    alone, _ = attend(layer, query[:, :, 2:], key[:, :, 2:], value[:, :, 2:], None)
    assert_close(out[:, 2:], alone)
    assert out.isfinite().all()


def test_evaluation_sees_what_a_cache_holds(layer):
    query, key, value = random_qkv(9)
    whole, _ = attend(layer.eval(), query, key, value, None)
    last, _ = attend(layer, query[:, :, 7:], key, value, None)
    assert_close(last, whole[:, 7:])


@pytest.mark.parametrize(
    ("cached", "mask"),
    [(0, torch.tensor([[False, True, True, True]] * 2)), (0, torch.ones(2, 1, 4, 4, dtype=torch.bool)), (1, None)],
)
def test_training_refuses_what_it_cannot_group(layer, cached, mask):
    query, key, value = random_qkv(4)
    with pytest.raises(TrainingFailed, match="left padding, a prepared mask or a cache"):
        attend(layer, query[:, :, cached:], key, value, mask)


def test_registering_twice_keeps_one_function():
    from transformers import AttentionInterface, AttentionMaskInterface

    s2.register()
    first = (AttentionInterface()[s2.NAME], AttentionMaskInterface()[s2.NAME])
    s2.register()
    assert (AttentionInterface()[s2.NAME], AttentionMaskInterface()[s2.NAME]) == first == (attend, s2.keep_padding_mask)


@pytest.fixture
def batch():
    items = [Prompted(tuple(range(3, 3 + length)), (9, 10)) for length in (30, 17)]
    return pad(items, pad_token_id=0)


def test_llama_trains_with_groups_and_evaluates_like_sdpa(make_tiny_reader, tmp_path, tiny_tokenizer, batch):
    make_tiny_reader().save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    grouped, _ = readers.load(tmp_path, attention="shifted_sparse")
    full, _ = readers.load(tmp_path, attention="sdpa")
    expected = readers.answer_losses(full, batch)
    assert_close(readers.answer_losses(grouped.eval(), batch), expected)
    losses = readers.answer_losses(grouped.train(), batch)
    assert not torch.allclose(losses, expected, atol=1e-3)
    losses.sum().backward()
    gradients = [parameter.grad for parameter in grouped.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("length", [1, 2, 5, 31, 64, 101])
def test_llama_trains_at_any_length_and_padding_changes_no_loss(make_tiny_reader, length):
    """A short row beside a long one: whatever stands in its padding, its losses and all gradients are the same."""
    s2.register()
    reader = make_tiny_reader(attention="shifted_sparse").train()
    items = [Prompted(tuple(range(3, 3 + length)), (9, 10)), Prompted((7,) * (1 + length // 3), (9,))]
    found = []
    for filling in (0, 44):
        reader.zero_grad()
        losses = readers.answer_losses(reader, pad(items, pad_token_id=filling))
        losses.sum().backward()
        found.append((losses.detach(), reader.model.layers[0].self_attn.q_proj.weight.grad.clone()))
    for one, other in zip(*found, strict=True):
        assert_close(one, other)
        assert one.isfinite().all()


def test_a_loss_does_not_depend_on_its_neighbours(make_tiny_reader):
    """Nor does a step's gradient depend on how processes share its questions."""
    s2.register()
    reader = make_tiny_reader(attention="shifted_sparse").train()
    items = [Prompted(tuple(range(3, 3 + length)), (9, 10)) for length in (3, 40, 41, 160)]
    found = []
    for parts in ([items], [[item] for item in items], [items[::-1]]):
        reader.zero_grad()
        losses = torch.cat([readers.answer_losses(reader, pad(part, pad_token_id=0)) for part in parts])
        losses.sum().backward()
        gradients = {name: parameter.grad.clone() for name, parameter in reader.named_parameters()}
        found.append((losses.detach(), gradients))
    (together, gradients), (apart, gradients_apart), (turned, _) = found
    assert_close(together, apart)
    assert_close(turned.flip(0), apart)
    assert_all_close(gradients, gradients_apart)


def test_llama_in_training_equals_sdpa_when_one_group_holds_all(make_tiny_reader, monkeypatch, batch):
    s2.register()
    monkeypatch.setattr(s2, "group_tokens", lambda length: length)
    grouped, full = make_tiny_reader(attention="shifted_sparse").train(), make_tiny_reader(attention="sdpa").train()
    assert_close(readers.answer_losses(grouped, batch), readers.answer_losses(full, batch))
