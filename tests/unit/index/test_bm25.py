"""BM25: the published formula, stems and stop words, ties by passage id, and texts that find little or nothing."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys

import pytest

from jmlr.errors import DataError
from jmlr.index.bm25 import Bm25
from jmlr.types import Passage


def ids(hits) -> list[str]:
    return [hit.passage_id for hit in hits]


def make(*texts: str) -> list[Passage]:
    return [Passage(f"p{number}", text) for number, text in enumerate(texts)]


def test_scores_are_the_published_formula():
    """Lucene's variant, worked by hand: words a text, in how many texts, mean length."""
    passages = make("gout gout toe", "toe pain", "fever")
    mean, k1, b = 2.0, 1.5, 0.75

    def weight(count: int, length: int, holding: int) -> float:
        rarity = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
        return rarity * count / (count + k1 * (1 - b + b * length / mean))

    (found,) = Bm25(passages).search(["gout toe"], 3)
    assert ids(found) == ["p0", "p1"]
    expected = [weight(2, 3, 1) + weight(1, 3, 2), weight(1, 2, 2)]
    assert [hit.score for hit in found] == pytest.approx(expected, rel=1e-6)


def test_stems_and_small_words():
    search = Bm25(make("Crystals in the joints.", "The fever of a child."))
    found = search.search(["crystal joint", "the of a in", "children", "CRYSTAL"], 5)
    assert [ids(hits) for hits in found] == [["p0"], [], [], ["p0"]]


def test_words_of_one_letter_count():
    search = Bm25(make("Hepatitis B spreads by blood.", "Hepatitis C spreads by blood."))
    found = search.search(["hepatitis C", "hepatitis B"], 1)
    assert [ids(hits) for hits in found] == [["p1"], ["p0"]]


@pytest.mark.parametrize(
    ("passages", "question"),
    [
        (("痛风急性发作给予秋水仙碱。", "哮喘急性发作给予沙丁胺醇。", "风湿疼痛。"), "痛风发作时用什么药？"),
        (("ยาลดไข้ใช้พาราเซตามอล", "ปวดศีรษะใช้ซูมาทริปแทน", "ไข้สูง"), "ควรให้ยาลดไข้อะไร"),
        (("痛風発作にはコルヒチンを用いる。", "喘息にはサルブタモールを用いる。", "風邪。"), "痛風には何を用いるか"),
    ],
)
def test_texts_without_spaces_are_found_by_what_they_share(passages, question):
    assert ids(Bm25(make(*passages)).search([question], 3)[0])[0] == "p0"


def test_the_title_is_searched_too():
    (found,) = Bm25([Passage("p1", "It swells.", title="Gout"), Passage("p2", "It swells.")]).search(["gout"], 2)
    assert ids(found) == ["p1"]


def test_equal_scores_are_ordered_by_passage_id_whatever_the_order_of_the_passages():
    passages = [Passage(f"p{number:02d}", "gout of the toe") for number in range(30)]
    random.Random(1).shuffle(passages)
    (found,) = Bm25(passages).search(["gout"], 7)
    assert ids(found) == [f"p{number:02d}" for number in range(7)]


def test_fewer_hits_are_the_beginning_of_more(passages):
    search = Bm25(passages)
    texts = [passage.text for passage in passages[:10]]
    for few, many in zip(search.search(texts, 5), search.search(texts, 48), strict=True):
        assert few == many[:5]
        assert len(set(ids(many))) == len(many)
        assert [hit.score for hit in many] == sorted((hit.score for hit in many), reverse=True)
        assert min(hit.score for hit in many) > 0


@pytest.mark.parametrize("texts", [("",), ("the of",), ("", "gout")])
def test_passages_without_words_are_never_found(texts):
    found = Bm25(make(*texts)).search(["gout", "", "the", "unknown"], 5)
    assert [ids(hits) for hits in found] == [["p1"] if "gout" in texts else [], [], [], []]


def test_no_passages_and_doubled_ids_are_errors():
    with pytest.raises(DataError, match="no passages"):
        Bm25([])
    with pytest.raises(DataError, match="passage id p1 comes 2 times"):
        Bm25([Passage("p1", "a"), Passage("p1", "b")])


def test_another_hash_seed_gives_the_same_hits_and_nothing_is_printed(capfd):
    """bm25s numbers words in the order of a set of texts, which differs from process to process."""
    code = (
        "from jmlr.index.bm25 import Bm25; from jmlr.types import Passage\n"
        "words = 'gout toe pain fever cough lung'.split()\n"
        "rows = [Passage(f'p{n}', ' '.join(words[n % 5 : n % 5 + 2])) for n in range(20)]\n"
        "print(Bm25(rows).search(['gout pain', 'lung fever cough'], 20))"
    )
    exec(code, {})
    ours = capfd.readouterr()
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ours.out == other.stdout
    assert ours.out.count("\n") == 1
    assert (ours.err, other.stderr) == ("", "")
