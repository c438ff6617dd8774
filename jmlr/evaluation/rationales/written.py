"""The rationales that arms wrote in an evaluation, measured with what is at hand: passage titles as concepts."""

from __future__ import annotations

from typing import Any

from jmlr.errors import DataError
from jmlr.evaluation.notation import ordered_arms
from jmlr.evaluation.rationales.concept_names import load_extractor
from jmlr.evaluation.rationales.rationale import Rationale, score_rationales, summarise_rationales
from jmlr.evaluation.split import Split
from jmlr.types import Passage


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
