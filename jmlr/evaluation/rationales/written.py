"""The rationales that arms wrote in an evaluation, measured with what is at hand: passage titles as concepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jmlr.errors import DataError
from jmlr.evaluation.notation import ordered_arms
from jmlr.evaluation.rationales.concept_names import load_extractor
from jmlr.evaluation.rationales.rationale import Rationale, score_rationales, summarise_rationales
from jmlr.evaluation.session import Session
from jmlr.settings import Settings
from jmlr.types import Passage, Question


def measure_written(settings: Settings, session: Session) -> dict[str, dict[str, Any]]:
    """Per split what `summarise_rationales` makes of each arm's rationales, without BERTScore.

    `jmlr rationales` measures with other dictionaries, with BERTScore, and has them judged.

    Args:
        settings: of the whole project.
        session: with what arms wrote.

    Returns:
        Empty where arms were not asked for rationales (`evaluate.rationale_tokens` is 0), or no title names a concept.
    """
    if not settings.evaluate.rationale_tokens or not session.readings.said:
        return {}
    try:
        extractor = load_extractor("titles", "", [passage.title for passage in session.passages])
    except DataError:
        return {}
    passages = {passage.passage_id: passage for passage in session.passages}
    found = {}
    for split in dict.fromkeys(question.split for question in session.questions):
        asked = [question for question in session.questions if question.split == split]
        arms = ordered_arms(session.readings.said)
        scores = {arm: score_rationales(_rationales(session, arm, asked, passages), extractor) for arm in arms}
        found[split] = summarise_rationales(settings, scores, {"concepts": extractor.describe()})
    return found


def _rationales(session: Session, arm: str, asked: Sequence[Question], passages: dict[str, Passage]) -> list[Rationale]:
    said = session.readings.said[arm]
    read = {answered.question_id: answered.read_passage_ids for answered in session.readings.answered[arm]}
    return [
        Rationale(one, said[one.question_id], tuple(passages[name] for name in read[one.question_id])) for one in asked
    ]
