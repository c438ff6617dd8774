"""The registered model: question and options in, answer with cited passages out.

MLflow runs this file itself when it loads a version ("models from code"), so that nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from pandas import DataFrame  # at run time: MLflow evaluates the hints of `predict`

if TYPE_CHECKING:
    from jmlr.registry.version.contents import Contents


class PairModel(PythonModel):
    """Retriever, reader and index that were trained together; it answers by jmlr.answering, as evaluation does."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the pair from the version's own files.

        Raises:
            FingerprintMismatch: if index, retriever and passages do not belong together, or a kept index was changed.
            RegistryError: if an index that is kept outside of the version is not there.
        """
        from jmlr.registry.version.contents import open_folder

        self.open(open_folder(Path(context.artifacts["params"]).parent))

    def open(self, contents: Contents, **identity: str) -> PairModel:
        """Load a version's files.

        `identity`: `name` and `version`, if they are known better than the files know them.

        Raises:
            ConfigError: if they are of a release that this code does not know.
            FingerprintMismatch: as `load_context`.
        """
        from jmlr import telemetry
        from jmlr.answering.answerer import Answerer

        telemetry.stay_offline()
        pair = contents.pair
        self._abstaining, self._identity = contents.abstaining, {**contents.identity(), **identity}
        self._answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, pair.settings())
        return self

    def predict(
        self, context: PythonModelContext | None, model_input: DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One answer for each row of `question` (text) and `options` (list of texts), as version.rows says.

        Raises:
            MlflowException: naming row and column of what cannot be answered; a server replies 400.
        """
        from jmlr.errors import DataError
        from jmlr.registry.version.rows import answer_row, questions_of

        try:
            questions = questions_of(model_input)
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        passages = self._answerer.passages
        return [
            answer_row(question, found, passages, self._abstaining, self._identity)
            for question, found in zip(questions, self._answerer.answer(questions), strict=True)
        ]


set_model(PairModel())
