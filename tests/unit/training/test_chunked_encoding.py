"""Chunks change what is kept in memory and nothing else."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_all_close, assert_close

from jmlr.training.chunked_encoding import encode_in_chunks

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([0, 3, 7])


@pytest.fixture
def texts(tiny_passages):
    return [passage.indexed_text for passage in tiny_passages]


@pytest.fixture
def retriever(tiny_retriever):
    return tiny_retriever.eval()


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def weighted(vectors: torch.Tensor) -> torch.Tensor:
    """A loss to which every number of (N, D, H) vectors adds its own share."""
    draw = torch.Generator().manual_seed(1)
    shares = torch.randn((vectors.shape[0], 1, vectors.shape[2]), generator=draw)
    return (vectors * shares).sum()


def bytes_kept_for_backward(retriever, texts, chunk: int | None) -> int:
    kept = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += 0 if isinstance(tensor, torch.nn.Parameter) else tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        encode_in_chunks(retriever, texts, chunk)
    return kept


@pytest.mark.parametrize("chunk", [1, 3, 7, 19])
def test_vectors_masks_and_gradients_equal_those_of_one_pass(retriever, texts, chunk):
    whole, whole_mask = encode_in_chunks(retriever, texts, None)
    expected = gradients(retriever, weighted(whole))
    vectors, mask = encode_in_chunks(retriever, texts, chunk)
    assert torch.equal(mask, whole_mask)
    assert_close(vectors, whole)
    found = gradients(retriever, weighted(vectors))
    assert_all_close(found, expected)
    assert max(float(gradient.abs().max()) for gradient in expected.values()) > 0.1


def test_the_second_encoding_keeps_the_precision_of_the_first(retriever, texts):
    """Under the Trainer's autocast backward comes after its end, and must encode in bfloat16 all the same."""
    found = []
    for chunk in (None, 7):
        with torch.autocast("cpu", torch.bfloat16):
            vectors, _ = encode_in_chunks(retriever, texts, chunk)
        found.append(torch.cat([part.flatten() for part in gradients(retriever, weighted(vectors)).values()]))
    exact = gradients(retriever, weighted(encode_in_chunks(retriever, texts, None)[0]))
    apart = (found[0] - torch.cat([part.flatten() for part in exact.values()])).norm()
    assert (found[0] - found[1]).norm() < 0.2 * apart


@pytest.mark.parametrize("chunk", [20, 99])
def test_a_chunk_that_holds_all_is_encoded_once(retriever, texts, chunk, monkeypatch):
    asked = []
    plain = retriever.encode_passages
    monkeypatch.setattr(retriever, "encode_passages", lambda these: asked.append(len(these)) or plain(these))
    vectors, _ = encode_in_chunks(retriever, texts, chunk)
    weighted(vectors).backward()
    assert asked == [20]


def test_backward_encodes_each_chunk_once_more(retriever, texts, monkeypatch):
    asked = []
    plain = retriever.encode_passages
    monkeypatch.setattr(retriever, "encode_passages", lambda these: asked.append(len(these)) or plain(these))
    weighted(encode_in_chunks(retriever, texts, 8)[0]).backward()
    assert sorted(asked) == [4, 4, 8, 8, 8, 8]


def test_what_is_kept_for_backward_does_not_grow_with_the_encoder(retriever, texts):
    few, many = (bytes_kept_for_backward(retriever, texts * times, 10) for times in (1, 4))
    whole_few, whole_many = (bytes_kept_for_backward(retriever, texts * times, None) for times in (1, 4))
    assert few < 0.02 * whole_few
    assert many - few < 0.02 * (whole_many - whole_few)


def test_without_gradient_chunks_are_plain_passes(retriever, texts):
    with torch.no_grad():
        vectors, _ = encode_in_chunks(retriever, texts, 3)
    assert not vectors.requires_grad


@pytest.mark.parametrize("with_gradient", [None, 2])
def test_a_joint_step_in_chunks_is_the_same_step(make_joint, with_gradient):
    found = []
    for chunk in (None, 2):
        model = make_joint("jmlr").train()
        changed = {"encode_chunk_passages": chunk, "passages_with_gradient": with_gradient}
        sampling = model.settings.sampling.model_copy(update=changed)
        model.settings = model.settings.model_copy(update={"sampling": sampling})
        step = model(rows=ROWS, draw_seed=1)
        found.append((step.total.item(), gradients(model, step.total)))
    (whole_loss, whole), (loss, chunked) = found
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert_all_close(chunked, whole)
