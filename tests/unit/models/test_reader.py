"""Answer losses equal those of plain transformers, row by row; a reader that is not there is named."""

from __future__ import annotations

import pytest
import torch
from closeness import FLOAT32, assert_close

from jmlr.errors import MissingResource
from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted

pytestmark = pytest.mark.numerical

ITEMS = [Prompted((1, 5, 6, 7), (8, 9, 2)), Prompted((1, 5), (11,)), Prompted((1, 12, 13, 14, 15, 16), (17, 2))]


@pytest.fixture
def reader(make_tiny_reader):
    return make_tiny_reader()


def alone(reader, item: Prompted) -> float:
    """The mean answer loss of one unpadded row by transformers itself."""
    ids = torch.tensor([item.prompt_ids + item.answer_ids])
    labels = ids.clone()
    labels[:, : len(item.prompt_ids)] = -100
    with torch.no_grad():
        return reader(input_ids=ids, labels=labels).loss.item()


def test_answer_losses_equal_a_plain_forward_of_each_row(reader):
    with torch.no_grad():
        losses = readers.answer_losses(reader, pad(ITEMS, pad_token_id=0))
    assert losses.tolist() == pytest.approx([alone(reader, item) for item in ITEMS], rel=FLOAT32)
    assert losses.std() > 0.01


def test_token_losses_name_their_rows(reader):
    losses, rows = readers.answer_token_losses(reader, pad(ITEMS, pad_token_id=0))
    assert rows.tolist() == [0, 0, 0, 1, 2, 2]
    assert (losses.dtype, losses.requires_grad) == (torch.float32, True)


def test_a_row_does_not_depend_on_its_neighbours(reader):
    together = readers.answer_losses(reader, pad(ITEMS, pad_token_id=0))
    for number, item in enumerate(ITEMS):
        assert_close(readers.answer_losses(reader, pad([item], pad_token_id=0))[0], together[number])


def test_bfloat16_weights_give_float32_losses(make_tiny_reader):
    losses = readers.answer_losses(make_tiny_reader().bfloat16(), pad(ITEMS, pad_token_id=0))
    assert losses.dtype == torch.float32
    assert losses.tolist() == pytest.approx([alone(make_tiny_reader(), item) for item in ITEMS], abs=0.5)


def test_save_and_load(reader, tiny_tokenizer, tmp_path):
    reader.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, tokenizer = readers.load(tmp_path, dtype="bfloat16")
    assert loaded.dtype == torch.bfloat16
    assert tokenizer.pad_token_id == tiny_tokenizer.pad_token_id


def test_a_tokenizer_without_padding_pads_with_the_end(reader, tiny_tokenizer, tmp_path):
    from transformers import PreTrainedTokenizerFast

    reader.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer.backend_tokenizer, eos_token="<eos>").save_pretrained(
        tmp_path
    )
    assert readers.load(tmp_path)[1].pad_token == "<eos>"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingResource, match="the reader cannot be loaded.*\n.*dvc repro base"):
        readers.load(tmp_path / "nowhere")


def test_pickled_weights_are_refused(reader, tiny_tokenizer, tmp_path):
    reader.save_pretrained(tmp_path, safe_serialization=False)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(MissingResource, match="safetensors"):
        readers.load(tmp_path)
