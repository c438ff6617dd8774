"""What is fetched from a hub, and what is said where nothing can be."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from jmlr.errors import MissingResource
from jmlr.models import hub


def test_weights_and_texts_are_fetched_at_the_revision_and_no_code_or_pickle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def fetch(model: str, **options: Any) -> str:
        asked.update(model=model, **options)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert hub.snapshot("someone/llama", "0123", "reader", "--reader") == tmp_path
    assert (asked["model"], asked["revision"]) == ("someone/llama", "0123")

    def fetched(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in asked["allow_patterns"])

    assert all(map(fetched, ["config.json", "model-00001-of-2.safetensors", "tokenizer.model", "vocab.txt"]))
    assert not any(map(fetched, ["modeling_evil.py", "custom_generate/generate.py", "pytorch_model.bin", "weights.pt"]))


@pytest.mark.parametrize("name", ["someone/llama", "not a hub id//"])
def test_a_model_that_cannot_be_had_is_named_with_who_asked(name: str) -> None:
    with pytest.raises(MissingResource, match=r"--reader x: the reader .* at 0123 cannot be fetched \("):
        hub.snapshot(name, "0123", "reader", "--reader x")
