"""MIRAGE: {data set: {id: {question, options by letter, answer letter}}}.

Source: Xiong et al. 2024, arXiv 2402.13178.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import field, json_document
from jmlr.data.rows import clean, letter_index, lettered_options, text_of, unread, usable
from jmlr.types import Question, Row

_KEYS = {"question", "options", "answer", "PMID"}


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """The questions of a benchmark file, all of them test questions; `question_type` is the data set they come from.

    Raises:
        DataError: naming the data set and id of a row that is not MIRAGE.
    """
    benchmark, keys = json_document(path, dict), Counter[str]()
    for data_set in benchmark:
        for key, row in field(benchmark, data_set, dict, str(path)).items():
            where = f"{path}, {data_set}/{key}"
            row = field({"row": row}, "row", dict, where)
            keys.update(row.keys())
            options = lettered_options(row, where)
            question = Question(
                question_id=f"mirage:{data_set}:{key}",
                text=clean(field(row, "question", str, where)),
                options=options,
                answer_index=letter_index(text_of(row, "answer", where), options),
                split="test",
                source=f"mirage/{data_set}",
                question_type=data_set,
                licence=source.licence,
                origin_id=f"{data_set}/{key}",
            )
            yield usable(question, path, f"{data_set}/{key}")
    yield from unread(keys, _KEYS, path)
