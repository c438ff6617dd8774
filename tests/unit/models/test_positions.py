"""Lengths that a model has no positions for are refused when it is loaded, with the key."""

from __future__ import annotations

import pytest
from transformers import BertConfig, BertModel, GPT2Config, LlamaConfig, RobertaConfig, RobertaModel

from jmlr.errors import ConfigError
from jmlr.models import positions
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever

TINY = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (lambda: BertModel(BertConfig(**TINY, max_position_embeddings=64)), 64),
        (lambda: RobertaModel(RobertaConfig(**TINY, max_position_embeddings=66, pad_token_id=1)), 64),
    ],
)
def test_an_encoder_takes_what_it_has_positions_for(encoder, expected):
    assert positions.of_encoder(encoder()) == expected


@pytest.mark.parametrize("key", ["query_tokens", "passage_tokens"])
def test_a_retriever_is_not_asked_for_more_than_its_positions(tiny_retriever_folder, tiny_index_settings, key):
    assert Retriever.load(tiny_retriever_folder, tiny_index_settings.model_copy(update={key: 64}))
    with pytest.raises(ConfigError, match=rf"index\.{key}: 65 tokens; expected at most 64.*\n.*lower index\.{key}"):
        Retriever.load(tiny_retriever_folder, tiny_index_settings.model_copy(update={key: 65}))


def test_scaled_positions_count():
    scaled = {"rope_type": "linear", "factor": 2.0}
    assert positions.of_reader(LlamaConfig(max_position_embeddings=100, rope_scaling=scaled)) == 200
    assert positions.of_reader(LlamaConfig(max_position_embeddings=100)) == 100


@pytest.mark.parametrize("options", ["hidden", "shown"])
@pytest.mark.parametrize("context", [None, 150])
def test_prompts_longer_than_the_reader_are_refused_at_their_own_length(
    tiny_tokenizer, prompt_settings, tiny_passages, tiny_questions, options, context
):
    settings = prompt_settings.model_copy(update={"options": options, "context_tokens": context})
    writer = PromptWriter(tiny_tokenizer, settings)
    longest = writer.longest(passages=2, options=4)
    item = writer.write(tiny_questions[0], 0, tiny_passages[:2])
    assert len(item.prompt_ids) + len(item.answer_ids) <= longest
    writer.refuse_long_prompts(GPT2Config(n_positions=longest), 2, 4)
    key = "prompt.passage_tokens" if context is None else "prompt.context_tokens: 15"
    with pytest.raises(ConfigError, match=key):
        writer.refuse_long_prompts(GPT2Config(n_positions=longest - 1), 2, 4)
    with pytest.raises(ConfigError, match=key):
        writer.refuse_long_prompts(GPT2Config(n_positions=longest), 2, 4, further_tokens=1)
