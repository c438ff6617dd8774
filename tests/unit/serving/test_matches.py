"""Matching words: MaxSim taken apart gives MaxSim again, and words lie where they are in the text."""

from __future__ import annotations

import pytest
import torch

from jmlr.models.maxsim import maxsim
from jmlr.models.retriever import Retriever
from jmlr.serving.matches import match_words

pytestmark = pytest.mark.numerical

QUESTION = "swelling joint, fever?"
TEXTS = ["gout: swelling of the joint, pain.", "fever", "cough cough " * 20]


@pytest.fixture(scope="module")
def retriever(tiny_retriever_folder, tiny_index_settings) -> Retriever:
    return Retriever.load(tiny_retriever_folder, tiny_index_settings).eval()


def test_words_lie_where_they_are_and_punctuation_is_none(retriever):
    found = match_words(retriever, QUESTION, TEXTS)
    assert [TEXTS[0][match.start : match.end] for match in found[0]] == [
        "gout", "swelling", "of", "the", "joint", "pain",
    ]  # fmt: skip
    assert [TEXTS[1][match.start : match.end] for match in found[1]] == ["fever"]


def test_what_is_cut_off_has_no_match(retriever, tiny_index_settings):
    long = match_words(retriever, QUESTION, TEXTS)[2]
    assert len(long) == tiny_index_settings.passage_tokens - 3  # [CLS], colbert-ai's marker, [SEP]


@torch.no_grad()
def test_shares_of_words_and_markers_add_up_to_the_score(retriever):
    queries = retriever.encode_queries([QUESTION])
    passages, mask = retriever.encode_passages(TEXTS)
    scores = maxsim(queries, passages[None], mask[None])[0]
    similarity = torch.einsum("qh,ndh->nqd", queries[0], passages).masked_fill(~mask[:, None], -torch.inf)
    of_words = []
    for number, words in enumerate(match_words(retriever, QUESTION, TEXTS)):
        markers = (0, 1, int(mask[number].nonzero().max()))
        best, places = similarity[number].max(1)
        of_markers = sum(value for value, place in zip(best.tolist(), places.tolist(), strict=True) if place in markers)
        of_words.append(sum(word.share for word in words))
        assert of_words[-1] + of_markers == pytest.approx(scores[number].item(), rel=2e-5)
    assert max(of_words) > 1


@torch.no_grad()
def test_similarity_is_the_best_with_a_word_of_the_question(retriever):
    queries, (passages, _) = retriever.encode_queries([QUESTION])[0], retriever.encode_passages(TEXTS[1:2])
    (fever,) = match_words(retriever, QUESTION, TEXTS)[1]
    tokens = retriever.colbert.raw_tokenizer.tokenize(QUESTION)
    words = {token: (queries[place + 2] @ passages[0, 2]).item() for place, token in enumerate(tokens)}
    best = max((token for token in words if token.isalnum()), key=words.__getitem__)
    assert fever.similarity == pytest.approx(words[best], rel=2e-5)
    assert best.strip("#") in fever.question_word


def test_nothing_matches_a_question_without_words(retriever):
    assert match_words(retriever, "?!", TEXTS[:1]) == [[]]
    assert match_words(retriever, QUESTION, []) == []
