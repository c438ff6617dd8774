"""Compiling ColBERT's extensions: said once, and a missing tool names what to install."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from jmlr.errors import MissingResource

ROOT = Path(__file__).parents[2]


@pytest.fixture
def extensions(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("colbert_extensions")


@pytest.fixture
def unloaded(monkeypatch, tmp_path) -> list[str]:
    """No extension is loaded or compiled; loading is recorded, not done."""
    from colbert.modeling.colbert import ColBERT
    from colbert.search.index_storage import IndexScorer
    from colbert.search.strided_tensor import StridedTensor

    loaded: list[str] = []
    for owner in (IndexScorer, ColBERT, StridedTensor):
        monkeypatch.delattr(owner, "loaded_extensions", raising=False)
        name = owner.__name__
        monkeypatch.setattr(owner, "try_load_torch_extensions", lambda use_gpu, name=name: loaded.append(name))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    return loaded


def pretend_compiled(extensions, folder: Path) -> None:
    for name in extensions.EXTENSIONS:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.so").touch()


def test_compiling_is_said_and_every_owner_loads(extensions, unloaded, capsys, monkeypatch):
    monkeypatch.setattr(extensions, "_check_toolchain", lambda: None)
    extensions.ensure_extensions()
    assert sorted(unloaded) == ["ColBERT", "IndexScorer", "StridedTensor"]
    assert capsys.readouterr().out.startswith("compiling ColBERT's extensions (about a minute, once): segmented_maxsim")


def test_compiled_extensions_need_no_compiler_and_no_words(extensions, unloaded, capsys, monkeypatch, tmp_path):
    pretend_compiled(extensions, tmp_path / "extensions")
    monkeypatch.setenv("CXX", "no-such-compiler")
    extensions.ensure_extensions()
    assert len(unloaded) == 3
    assert capsys.readouterr().out == ""


def test_a_missing_compiler_names_what_to_install(extensions, unloaded, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingResource, match=r"no-such-compiler is not on PATH(?s:.*)install g\+\+ .*ninja"):
        extensions.ensure_extensions()
    assert unloaded == []


def test_missing_headers_name_what_to_install(extensions, unloaded, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", sys.executable)
    monkeypatch.setattr(extensions.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    with pytest.raises(MissingResource, match=r"headers are not there; expected .*Python\.h(?s:.*)python3-dev"):
        extensions.ensure_extensions()


def test_ninja_is_found_in_its_package_when_the_environment_is_not_activated(extensions, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    extensions._find_ninja()
    assert extensions.shutil.which("ninja")


def test_a_missing_ninja_names_what_to_install(extensions, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ninja", None)
    with pytest.raises(MissingResource, match="ninja is not there(?s:.*)pip install ninja"):
        extensions._find_ninja()


def test_a_failed_compilation_says_why(extensions, unloaded, monkeypatch):
    from colbert.modeling.colbert import ColBERT

    def fail(use_gpu):
        raise RuntimeError("Error building extension 'segmented_maxsim_cpp'\n1 error\nninja: build stopped")

    monkeypatch.setattr(extensions, "_check_toolchain", lambda: None)
    monkeypatch.setattr(ColBERT, "try_load_torch_extensions", fail)
    with pytest.raises(MissingResource, match=r"Error building extension .*ninja: build stopped(?s:.*)VERBOSE=True"):
        extensions.ensure_extensions()


def test_only_old_locks_are_dropped(extensions, unloaded, monkeypatch, tmp_path):
    pretend_compiled(extensions, tmp_path / "extensions")
    old, fresh = (tmp_path / "extensions" / name / "lock" for name in extensions.EXTENSIONS[:2])
    for lock in (old, fresh):
        lock.touch()
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    extensions.ensure_extensions()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_each_environment_has_its_own_cache(extensions, monkeypatch, tmp_path):
    monkeypatch.delenv("TORCH_EXTENSIONS_DIR", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with extensions._cache_of_this_environment():
        assert Path(os.environ["TORCH_EXTENSIONS_DIR"]).is_relative_to(tmp_path)
    assert "TORCH_EXTENSIONS_DIR" not in os.environ


@pytest.mark.parametrize("case", ["set by the user", "no virtual environment", "read-only"])
def test_the_cache_stays_where_it_is(extensions, monkeypatch, tmp_path, case):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", "/mine")
    if case != "set by the user":
        monkeypatch.delenv("TORCH_EXTENSIONS_DIR")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix if case == "no virtual environment" else str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: case != "read-only")
    before = os.environ.get("TORCH_EXTENSIONS_DIR")
    with extensions._cache_of_this_environment():
        assert os.environ.get("TORCH_EXTENSIONS_DIR") == before
