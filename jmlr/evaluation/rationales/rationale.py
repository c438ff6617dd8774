"""Generated rationales beside the reference ones: shared concepts, shared words, and hallucinated concepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from jmlr.errors import DataError
from jmlr.evaluation.notation import ordered_arms
from jmlr.evaluation.rationales.concept_names import load_extractor
from jmlr.evaluation.rationales.concepts import ConceptExtractor
from jmlr.evaluation.readings import Split
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings
from jmlr.types import Passage, Question

if TYPE_CHECKING:
    from jmlr.evaluation.rationales.token_similarity import TextSimilarity  # which imports torch

ROUGE = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
"""The library's names and ours."""

_DECIMALS = 6


@dataclass(frozen=True)
class Rationale:
    """What a reader wrote to explain its answer.

    Attributes:
        question: the question, with its reference rationale or without one.
        text: what was generated; may be empty.
        read: the passages the reader read.
    """

    question: Question
    text: str
    read: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class RationaleScores:
    """Measures of one rationale, each 0 to 1; None where it is not defined.

    Attributes:
        question_id: of the question.
        umls_precision: share of the rationale's concepts that the reference names; 0 if the rationale names none.
        umls_recall: share of the reference's concepts that the rationale names.
        umls_f: 2 x shared / (concepts of both); with the two before None where the reference is missing or names none.
        rouge_1: F1 of single words (stemmed) in common with the reference; None without a reference.
        rouge_2: of pairs of words.
        rouge_l: of the longest common subsequence of words.
        bertscore: F1 of BERTScore with the reference; None too if no encoder was given.
        hallucinated_rate: share of the rationale's concepts in neither question, options nor read passages; None if it
            names none.
        concepts: ids of the rationale's concepts, sorted.
        reference_concepts: of the reference's.
        hallucinated: of those in neither question, options nor read passages.
    """

    question_id: str
    umls_precision: float | None
    umls_recall: float | None
    umls_f: float | None
    rouge_1: float | None
    rouge_2: float | None
    rouge_l: float | None
    bertscore: float | None
    hallucinated_rate: float | None
    concepts: tuple[str, ...]
    reference_concepts: tuple[str, ...]
    hallucinated: tuple[str, ...]


MEASURES = tuple(field.name for field in fields(RationaleScores) if field.type == "float | None")

SCHEMA = pa.schema(
    [("question_id", pa.string()), ("arm", pa.string()), ("reference", pa.string()), ("rationale", pa.string())]
    + [(name, pa.float64()) for name in MEASURES]
    + [(name, pa.list_(pa.string())) for name in ("concepts", "reference_concepts", "hallucinated")]
)
"""Columns of the table of rationales; see `RationaleScores`."""


def overlap(found: frozenset[str], reference: frozenset[str]) -> tuple[float, float, float] | None:
    """Precision, recall and F1 of a set of concepts, 0 to 1; None if the reference is empty.

    An empty reference asks for nothing, so nothing is measured; an empty `found` misses all of it, so all three are 0:
    silence must not pay.

    >>> overlap(frozenset({"C1", "C2", "C3"}), frozenset({"C1", "C4"}))
    (0.3333333333333333, 0.5, 0.4)
    >>> overlap(frozenset(), frozenset({"C1"})), overlap(frozenset({"C1"}), frozenset())
    ((0.0, 0.0, 0.0), None)
    """
    if not reference:
        return None
    shared = len(found & reference)
    precision = shared / len(found) if found else 0.0
    return precision, shared / len(reference), 2 * shared / (len(found) + len(reference))


@cache
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE), use_stemmer=True)


def rouge(text: str, reference: str) -> dict[str, float]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L, 0 to 1, by the library rouge-score with Porter's stems.

    Its words are runs of a-z and 0-9: letters of other scripts are not seen.

    Source: Lin 2004, https://aclanthology.org/W04-1013.

    >>> rouge("Gout hurts joints.", "Gout hurts the joints.")["rouge_l"]
    0.8571428571428571
    """
    scores = _rouge_scorer().score(reference, text)
    return {ours: float(scores[theirs].fmeasure) for theirs, ours in ROUGE.items()}


def evidence(rationale: Rationale) -> list[str]:
    """The texts a rationale may take a concept from: question, options and read passages.

    >>> evidence(Rationale(Question("q1", "Which?", ("MRI", "ECG"), 1, "test"), "..", (Passage("p1", "Gout."),)))
    ['Which?', 'MRI', 'ECG', 'Gout.']
    """
    question = rationale.question
    return [question.text, *question.options, *(passage.indexed_text for passage in rationale.read)]


def _known(rationales: Sequence[Rationale], extractor: ConceptExtractor) -> Iterator[frozenset[str]]:
    """Per rationale the concepts in its evidence; each text apart, so that no name reaches from one into the next."""
    texts = [evidence(rationale) for rationale in rationales]
    found = iter(extractor.extract([text for row in texts for text in row], nested=True))
    return (frozenset().union(*islice(found, len(row))) for row in texts)


def score_rationales(
    rationales: Sequence[Rationale], extractor: ConceptExtractor, similarity: TextSimilarity | None = None
) -> list[RationaleScores]:
    """The measures of each rationale, in order.

    Args:
        rationales: of one arm, at most one a question.
        extractor: finds the concepts. In question, options and passages a name inside a longer one counts too:
            who read of type 2 diabetes does not make diabetes up.
        similarity: for `bertscore`; None leaves it out.

    Raises:
        DataError: if a question has two rationales.
    """
    ids = [rationale.question.question_id for rationale in rationales]
    if len(set(ids)) != len(ids):
        twice = next(found for found in ids if ids.count(found) > 1)
        raise DataError("two rationales", expected="one a question", where=f"question {twice}")
    texts, references = [found.text for found in rationales], [found.question.rationale for found in rationales]
    named, wanted = extractor.extract(texts), extractor.extract(references)
    close: list[float | None] = [None] * len(texts)
    with_reference = [row for row, reference in enumerate(references) if reference]
    if similarity is not None and with_reference:
        pairs = [texts[row] for row in with_reference], [references[row] for row in with_reference]
        for row, value in zip(with_reference, similarity.compare(*pairs), strict=True):
            close[row] = value
    concepts = zip(named, wanted, _known(rationales, extractor), strict=True)
    return [_scored(*row) for row in zip(rationales, concepts, close, strict=True)]


def _scored(
    rationale: Rationale, concepts: tuple[frozenset[str], frozenset[str], frozenset[str]], close: float | None
) -> RationaleScores:
    """The measures of one rationale; `concepts` are those it names, those the reference names, those it may name."""
    named, wanted, known = concepts
    reference = rationale.question.rationale
    precision, recall, f1 = overlap(named, wanted) or (None, None, None)
    words = [*rouge(rationale.text, reference).values()] if reference else [None] * len(ROUGE)
    rouge_1, rouge_2, rouge_l = words
    return RationaleScores(
        rationale.question.question_id,
        precision,
        recall,
        f1,
        rouge_1,
        rouge_2,
        rouge_l,
        bertscore=close,
        hallucinated_rate=len(named - known) / len(named) if named else None,
        concepts=tuple(sorted(named)),
        reference_concepts=tuple(sorted(wanted)),
        hallucinated=tuple(sorted(named - known)),
    )


def table_rows(arm: str, rationales: Sequence[Rationale], scores: Sequence[RationaleScores]) -> list[dict[str, Any]]:
    """Rows of the table of rationales (`SCHEMA`): one a rationale, with its texts."""
    return [
        {"arm": arm, "reference": found.question.rationale, "rationale": found.text, **asdict(scored)}
        for found, scored in zip(rationales, scores, strict=True)
    ]


def summarise_rationales(
    settings: EvaluateSettings,
    scores: Mapping[str, Sequence[RationaleScores]],
    made_by: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Per arm the mean of each measure with its bootstrap interval: a part of metrics.json.

    `made_by`: what extractor and similarity say of themselves (`describe`), each under a key.

    Returns:
        `made_by`, and per arm: rationales, without_concepts and with_hallucination (counts), and per measure
        {value, low, high, questions} over the rationales for which it is defined, absent if there are none.
    """
    return {"made_by": dict(made_by), "arms": {arm: _summary(settings, found) for arm, found in scores.items()}}


def _summary(settings: EvaluateSettings, scores: Sequence[RationaleScores]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "rationales": len(scores),
        "without_concepts": sum(not scored.concepts for scored in scores),
        "with_hallucination": sum(bool(scored.hallucinated) for scored in scores),
    }
    for name in MEASURES:
        values = [value for scored in scores if (value := getattr(scored, name)) is not None]
        if values:
            mean = mean_interval(np.array(values), settings)
            rounded = {key: round(bound, _DECIMALS) for key, bound in mean.bounds.items()}
            summary[name] = {**rounded, "questions": len(values)}
    return summary


def measure_written(split: Split) -> dict[str, Any]:
    """What `summarise_rationales` makes of each arm's rationales, without BERTScore.

    `jmlr rationales` measures with other dictionaries, with BERTScore, and has them judged.

    Returns:
        Empty where arms were not asked for rationales (`evaluate.rationale_tokens` is 0), or no title names a concept.
    """
    if not split.settings.rationale_tokens or not split.readings.said:
        return {}
    try:
        extractor = load_extractor("titles", "", [passage.title for passage in split.readings.passages])
    except DataError:
        return {}
    passages = {passage.passage_id: passage for passage in split.readings.passages}
    arms = ordered_arms(split.readings.said)
    scores = {arm: score_rationales(_rationales(split, arm, passages), extractor) for arm in arms}
    return summarise_rationales(split.settings, scores, {"concepts": extractor.describe()})


def _rationales(split: Split, arm: str, passages: dict[str, Passage]) -> list[Rationale]:
    said = split.readings.said[arm]
    read = {answered.question_id: answered.read_passage_ids for answered in split.readings.answered[arm]}
    return [
        Rationale(one, said[one.question_id], tuple(passages[name] for name in read[one.question_id]))
        for one in split.questions
    ]
