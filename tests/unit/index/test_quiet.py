"""colbert-ai is kept quiet, on the CPU, and out of the environment."""

from __future__ import annotations

import os
import sys

import pytest

from jmlr.index.quiet import quiet_cpu


def test_prints_are_swallowed_within_only(capsys):
    with quiet_cpu():
        print("chatter")
        print("a progress bar", file=sys.stderr)
    print("ours")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("ours\n", "")


def test_a_visible_gpu_is_hidden_within_and_back_after_an_error(monkeypatch):
    from colbert.infra.config import ColBERTConfig
    from colbert.infra.config.settings import RunSettings

    monkeypatch.setattr(RunSettings, "total_visible_gpus", 2)

    def fail_within():
        with quiet_cpu():
            assert ColBERTConfig().total_visible_gpus == 0
            raise RuntimeError("within")

    with pytest.raises(RuntimeError, match="within"):
        fail_within()
    assert ColBERTConfig().total_visible_gpus == 2


def test_the_first_import_leaves_the_tokenizers_switch_as_it_was(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "colbert"}
    for name in known:
        del sys.modules[name]
    try:
        with quiet_cpu():
            import colbert.infra.run  # noqa: F401
        assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "colbert"]:
            del sys.modules[name]
        sys.modules.update(known)
