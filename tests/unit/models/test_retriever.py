"""The retriever: unit vectors, silent punctuation, gradient, and one checkpoint for us and for colbert-ai."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import asdict

import pytest
import torch
from closeness import assert_close

from jmlr.errors import ConfigError, MissingResource
from jmlr.models import retriever as retrievers
from jmlr.models.colbert import ColbertConfig
from jmlr.models.retriever import Retriever
from jmlr.settings import BaseRetrieverSettings

pytestmark = pytest.mark.numerical

TEXTS = ["gout, toe pain.", "kidney stone urine blood fever cough", "rash"]


@pytest.fixture
def retriever(tiny_retriever_folder, tiny_index_settings):
    return Retriever.load(tiny_retriever_folder, tiny_index_settings)


def test_queries_are_unit_vectors_of_fixed_length(retriever):
    vectors = retriever.encode_queries(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((3, 16, 16), torch.float32)
    assert_close(vectors.norm(dim=-1), torch.ones(3, 16))


def test_passages_are_unit_vectors_where_the_mask_is_set_and_zero_elsewhere(retriever):
    vectors, mask = retriever.encode_passages(TEXTS)
    assert_close(vectors.norm(dim=-1), mask.float())
    # [CLS], the marker, the words and [SEP]; comma and full stop carry no embedding.
    assert mask.sum(1).tolist() == [3 + 3, 6 + 3, 1 + 3]


def test_a_passage_is_cut_at_its_bound(retriever, tiny_index_settings):
    vectors, mask = retriever.encode_passages(["gout " * 60])
    assert vectors.shape[1] == mask.sum() == tiny_index_settings.passage_tokens


def test_an_embedding_does_not_depend_on_the_batch(retriever):
    vectors, mask = retriever.encode_passages(TEXTS)
    for number, text in enumerate(TEXTS):
        alone, alone_mask = retriever.encode_passages([text])
        assert_close(alone[alone_mask], vectors[number][mask[number]])


def test_gradient_reaches_the_encoder_and_the_projection(retriever):
    vectors, _ = retriever.encode_passages(TEXTS)
    (vectors.sum() + retriever.encode_queries(TEXTS).sum()).backward()
    reached = [name for name, p in retriever.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert any("linear.weight" in name for name in reached)
    assert any("encoder.layer.0" in name for name in reached)


def test_saved_weights_give_the_same_embeddings_and_hash(retriever, tiny_index_settings, tmp_path):
    with torch.no_grad():
        retriever.colbert.linear.weight += 0.1
    retriever.save(tmp_path / "one")
    loaded = Retriever.load(tmp_path / "one", tiny_index_settings)
    for ours, theirs in ((retriever, loaded), (loaded, retriever)):
        assert torch.equal(ours.encode_queries(TEXTS), theirs.encode_queries(TEXTS))
        assert torch.equal(ours.encode_passages(TEXTS)[0], theirs.encode_passages(TEXTS)[0])
    loaded.save(tmp_path / "two")
    assert Retriever.fingerprint(tmp_path / "one") == Retriever.fingerprint(tmp_path / "two")


def test_other_weights_have_another_hash(retriever, tiny_retriever_folder, tmp_path):
    with torch.no_grad():
        retriever.colbert.linear.weight[0, 0] += 0.1
    retriever.save(tmp_path)
    assert Retriever.fingerprint(tmp_path) != Retriever.fingerprint(tiny_retriever_folder)


def test_colbert_itself_loads_the_checkpoint_and_encodes_the_same(retriever, tmp_path, monkeypatch):
    from colbert.infra.config import ColBERTConfig
    from colbert.modeling.checkpoint import Checkpoint
    from colbert.modeling.colbert import ColBERT

    # Its C++ extensions, which take long to compile, rank; encoding needs none.
    monkeypatch.setattr(ColBERT, "try_load_torch_extensions", lambda use_gpu: None)
    retriever.save(tmp_path)
    checkpoint = Checkpoint(str(tmp_path), colbert_config=ColBERTConfig(query_maxlen=16, doc_maxlen=24))
    with torch.no_grad():
        assert_close(checkpoint.queryFromText(TEXTS), retriever.encode_queries(TEXTS))
        ids, attention = checkpoint.doc_tokenizer.tensorize(TEXTS)
        theirs, their_mask = checkpoint.doc(ids, attention, keep_dims="return_mask")
        ours, mask = retriever.encode_passages(TEXTS)
    assert torch.equal(their_mask.bool().squeeze(-1), mask)
    assert_close(theirs.float(), ours, share=1e-3)


def load_with_colbert_ai(folder, monkeypatch):
    from colbert.infra.config import ColBERTConfig
    from colbert.modeling import base_colbert

    monkeypatch.setattr(base_colbert, "DEVICE", torch.device("cpu"))
    return base_colbert.BaseColBERT(str(folder), ColBERTConfig(query_maxlen=16, doc_maxlen=24, nbits=4))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_weights_vectors_and_files_are_those_of_colbert_ais_own_class_to_the_last_bit(
    request, family, tiny_retriever_folder, tiny_index_settings, tmp_path, monkeypatch
):
    from colbert.infra.config import base_config

    folder = tiny_retriever_folder
    if family == "roberta":
        retrievers.create(request.getfixturevalue("roberta")(), tiny_index_settings, tmp_path / "made", TEXTS, seed=1)
        folder = tmp_path / "made"
    ours, theirs = Retriever.load(folder, tiny_index_settings), load_with_colbert_ai(folder, monkeypatch)
    assert list(ours.colbert.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.colbert.state_dict().values(), theirs.state_dict().values()))
    ids, attention = ours._passages.tensorize(TEXTS)
    with torch.inference_mode():
        expected = theirs.linear(theirs.bert(ids, attention_mask=attention)[0])
        assert torch.equal(ours._embed(ids, attention), expected)
    monkeypatch.setattr(base_config, "get_metadata_only", dict)
    theirs.save(str(tmp_path / "theirs"))
    ours.save(tmp_path / "ours")
    assert sorted(file.name for file in (tmp_path / "ours").iterdir()) == sorted(
        file.name for file in (tmp_path / "theirs").iterdir()
    )
    for file in (tmp_path / "ours").iterdir():
        if file.name == "artifact.metadata":  # theirs also has paths, the user and the time
            written = json.loads((tmp_path / "theirs" / file.name).read_text())
            kept = json.loads(file.read_text())
            assert list(kept.items()) == [(name, value) for name, value in written.items() if name in kept]
        else:
            assert file.read_bytes() == (tmp_path / "theirs" / file.name).read_bytes(), file.name


def test_the_defaults_are_colbert_ais():
    from colbert.infra.config import ColBERTConfig

    theirs = ColBERTConfig()
    assert {name: getattr(theirs, name) for name in asdict(ColbertConfig())} == asdict(ColbertConfig())


def test_a_question_that_is_not_cut_is_tokenised_once(retriever, monkeypatch):
    coded = []
    of_class = type(retriever._queries.tokenizer)
    plain = of_class.__call__
    monkeypatch.setattr(
        of_class, "__call__", lambda self, texts, **more: coded.append(texts) or plain(self, texts, **more)
    )
    retriever.encode_queries(TEXTS)
    assert coded == [TEXTS]


@pytest.fixture
def encoder(tiny_retriever_folder, tmp_path, monkeypatch):
    """A plain BERT without ColBERT's linear layer, as the package carries one."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path / "encoder"
    tokenizer = AutoTokenizer.from_pretrained(tiny_retriever_folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(3)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    monkeypatch.setattr(retrievers, "fetch", lambda source: folder)
    return BaseRetrieverSettings(source="minilm", revision=None, dimension=16)


def test_an_encoder_gets_one_projection_once_and_for_all(encoder, tiny_index_settings, tiny_passages, tmp_path):
    texts = [passage.text for passage in tiny_passages]
    for name in ("one", "two"):
        retrievers.create(encoder, tiny_index_settings, tmp_path / name, texts, seed=1)
    assert Retriever.fingerprint(tmp_path / "one") == Retriever.fingerprint(tmp_path / "two")
    made = Retriever.load(tmp_path / "one", tiny_index_settings)
    weight = made.colbert.linear.weight
    assert_close(weight @ weight.T, torch.eye(16))


def test_lengths_beyond_the_encoder_name_the_setting_and_no_unfinished_folder(encoder, tiny_index_settings, tmp_path):
    long = tiny_index_settings.model_copy(update={"passage_tokens": 65})
    with pytest.raises(
        ConfigError, match=r"passage_tokens: 65 .*the positions of base\.retriever\.source, minilm\."
    ) as told:
        retrievers.create(encoder, long, tmp_path / "made", ["text"], seed=1)
    assert str(tmp_path) not in str(told.value)


def test_the_projection_keeps_more_than_any_random_one(encoder, tiny_index_settings, tiny_passages, tmp_path):
    texts = [passage.text for passage in tiny_passages]
    retrievers.create(encoder, tiny_index_settings, tmp_path / "made", texts, seed=1)
    made = Retriever.load(tmp_path / "made", tiny_index_settings)

    def kept(weight: torch.Tensor) -> float:
        made.colbert.linear.weight.data.copy_(weight)
        ids, attention = made._passages.tensorize(texts)
        _, mask = made.encode_passages(texts)
        return float(made._embed(ids, attention)[mask].pow(2).sum())

    with torch.no_grad():
        chosen = kept(made.colbert.linear.weight.clone())
        others = [kept(torch.linalg.qr(torch.randn(32, 16))[0].T) for _ in range(5)]
    assert chosen > max(others)


@pytest.fixture
def roberta(tiny_tokenizer, tmp_path, monkeypatch):
    """A RoBERTa whose byte-level vocabulary has no tokens to spare; keyword arguments change its tokenizer's."""
    from tokenizers.processors import RobertaProcessing
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    def make(**changed) -> BaseRetrieverSettings:
        folder, special = tmp_path / "roberta", {"bos": "<s>", "eos": "</s>", "unk": "<unk>"}
        special |= {"pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>", **changed}
        named = {f"{name}_token": token for name, token in special.items() if token}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=copy.deepcopy(tiny_tokenizer.backend_tokenizer), **named)
        ends = ((token, tokenizer.convert_tokens_to_ids(token)) for token in ("</s>", "<s>"))
        tokenizer.backend_tokenizer.post_processor = RobertaProcessing(*ends)
        config = RobertaConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=64, type_vocab_size=1, pad_token_id=tokenizer.convert_tokens_to_ids("<pad>"),
        )  # fmt: skip
        RobertaModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        monkeypatch.setattr(retrievers, "fetch", lambda source: folder)
        return BaseRetrieverSettings(source="minilm", revision=None, dimension=16)

    return make


def test_an_encoder_whose_vocabulary_has_no_marks_gets_two(roberta, tiny_index_settings, tmp_path):
    source = roberta()
    for name in ("one", "two"):
        retrievers.create(source, tiny_index_settings, tmp_path / name, TEXTS, seed=1)
    assert Retriever.fingerprint(tmp_path / "one") == Retriever.fingerprint(tmp_path / "two")
    made = Retriever.load(tmp_path / "one", tiny_index_settings)
    tokenizer = made.colbert.raw_tokenizer
    (question,), (passage,) = (each.tensorize(["gout, pain (toe)."])[0] for each in (made._queries, made._passages))
    marks = [int(ids[1]) for ids in (question, passage)]
    assert len({*marks, tokenizer.unk_token_id}) == 3
    assert max(marks) < made.colbert.model.get_input_embeddings().num_embeddings
    assert (question[0], question[-1]) == (tokenizer.cls_token_id, tokenizer.mask_token_id)
    assert not torch.equal(*(made.colbert.model.get_input_embeddings().weight[mark] for mark in marks))
    # A mark after a space is another token than one after a word; neither has an embedding.
    silent = [tokenizer.decode([one]).strip() for one in passage[~made._counts(passage[None])[0]].tolist()]
    assert sorted("".join(silent)) == sorted(",().")


def test_an_encoder_that_cannot_mask_is_refused(roberta, tiny_index_settings, tmp_path):
    with pytest.raises(ConfigError, match="the encoder's tokenizer has no mask_token"):
        retrievers.create(roberta(mask=None), tiny_index_settings, tmp_path / "made", TEXTS, seed=1)


def test_a_folder_without_a_checkpoint_is_refused(tiny_retriever_folder, tiny_index_settings, tmp_path):
    shutil.copy(tiny_retriever_folder / "model.safetensors", tmp_path)
    with pytest.raises(
        MissingResource, match="no ColBERT checkpoint; expected model.safetensors and artifact.metadata"
    ):
        Retriever.load(tmp_path, tiny_index_settings)


def test_a_hub_model_out_of_reach_is_refused_in_one_clear_error(tiny_index_settings, tmp_path):
    source = BaseRetrieverSettings(source="nobody/nothing", revision="0" * 40, dimension=16)
    with pytest.raises(MissingResource, match="nobody/nothing at 0+ cannot be fetched"):
        retrievers.create(source, tiny_index_settings, tmp_path / "retriever", ["text"], seed=1)
