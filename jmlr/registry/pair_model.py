"""The registered model: question and options in, answer with cited passages out.

MLflow runs this file itself when it loads a version ("models from code"), so that nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from pandas import DataFrame  # at run time: MLflow evaluates the hints of `predict`

if TYPE_CHECKING:
    from jmlr.answering.answered import Answered


class PairModel(PythonModel):
    """Retriever, reader and index that were trained together; it answers by jmlr.answering, as evaluation does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the pair from the version's own files.

        Raises:
            FingerprintMismatch: if index, retriever and passages do not belong together.
        """
        from jmlr import config
        from jmlr.answering.answerer import Answerer
        from jmlr.data.tables import read_passages

        files = {name: Path(path) for name, path in context.artifacts.items()}
        settings = config.load(files["params"])
        self._passages = {passage.passage_id: passage for passage in read_passages(files["passages"])}
        self._answerer = Answerer.load(files["retriever"], files["reader"], files["index"], files["passages"], settings)

    def predict(
        self, context: PythonModelContext, model_input: DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One answer for each row of `question` (text) and `options` (list of texts).

        Returns:
            For each row `answer`, `answer_index`, `option_probabilities` (they sum to 1) and `passages`, best first,
            with their `score` (MaxSim; in a hybrid the fused score) and whether the reader `read` them.
        """
        from jmlr.types import Question

        questions = [
            Question(str(number), row["question"], tuple(row["options"]), 0, "test")
            for number, row in enumerate(model_input.to_dict("records"))
        ]
        answered = self._answerer.answer(questions)
        return [self._as_row(question.options, found) for question, found in zip(questions, answered, strict=True)]

    def _as_row(self, options: tuple[str, ...], answered: Answered) -> dict[str, Any]:
        read = set(answered.read_passage_ids)
        cited = [(self._passages[hit.passage_id], hit.score) for hit in answered.hits]
        return {
            "answer": options[answered.chosen_index],
            "answer_index": answered.chosen_index,
            "option_probabilities": [float(value) for value in answered.option_probabilities],
            "passages": [
                {
                    "passage_id": passage.passage_id,
                    "title": passage.title,
                    "text": passage.text,
                    "score": float(score),
                    "read": passage.passage_id in read,
                }
                for passage, score in cited
            ],
        }


set_model(PairModel())
