"""colbert-ai without its chatter, its CUDA path and its changes to the environment."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

_TOKENIZER_THREADS = "TOKENIZERS_PARALLELISM"


@contextmanager
def quiet_cpu() -> Iterator[None]:
    """Within, colbert-ai prints nothing and takes the CPU path even where a GPU is visible.

    Its GPU path compiles CUDA sources with nvcc.
    """
    threads = os.environ.get(_TOKENIZER_THREADS)
    from colbert.infra.config import ColBERTConfig
    from colbert.infra.config.settings import RunSettings

    # Importing colbert switches the tokenizers' threads on, which deadlocks or warns in later forks.
    _restore(_TOKENIZER_THREADS, threads)
    visible = ColBERTConfig.total_visible_gpus
    RunSettings.total_visible_gpus = 0
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        RunSettings.total_visible_gpus = visible


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
