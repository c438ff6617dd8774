"""The C++ extensions of colbert-ai, which it compiles at their first use."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from jmlr.errors import MissingResource
from jmlr.index.quiet import quiet_cpu

EXTENSIONS = ("segmented_maxsim_cpp", "segmented_lookup_cpp", "filter_pids_cpp", "decompress_residuals_cpp")

_FOLDER_VARIABLE = "TORCH_EXTENSIONS_DIR"
_STALE_LOCK_SECONDS = 900
_REMEDY = "install a C++ toolchain: `apt-get install g++ python3-dev` (Debian, Ubuntu) and `pip install ninja`"


def ensure_extensions() -> None:
    """Loads colbert-ai's extensions into this process; compiles those that no earlier run has compiled.

    Raises:
        MissingResource: if ninja, a compiler or Python's headers are not there, or compiling fails.
    """
    with quiet_cpu():
        from colbert.modeling.colbert import ColBERT
        from colbert.search.index_storage import IndexScorer
        from colbert.search.strided_tensor import StridedTensor
    owners = [owner for owner in (IndexScorer, ColBERT, StridedTensor) if not hasattr(owner, "loaded_extensions")]
    if not owners:
        return
    with _cache_of_this_environment():
        _compile([owner.try_load_torch_extensions for owner in owners])


@contextmanager
def _cache_of_this_environment() -> Iterator[None]:
    """Within, torch keeps compiled extensions in this virtual environment, unless the user has said where.

    In torch's own folder, shared by the user's environments, two of them compile anew each time they take turns: the
    headers' paths are part of the build.
    """
    folder = Path(sys.prefix) / ".torch_extensions" / version("torch")
    own = sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK)
    if not own or _FOLDER_VARIABLE in os.environ:
        yield
        return
    os.environ[_FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[_FOLDER_VARIABLE]


def _compile(loaders: list[Callable[[bool], None]]) -> None:
    """Compiles what is not compiled and loads all."""
    _find_ninja()
    if missing := _not_compiled():
        _check_toolchain()
        print(f"compiling ColBERT's extensions (about a minute, once): {', '.join(missing)}", flush=True)
    _drop_stale_locks()
    _load_all(loaders)


def _load_all(loaders: list[Callable[[bool], None]]) -> None:
    """Calls every loader with `use_gpu` False, two at a time: each waits for a compiler process."""
    try:
        with quiet_cpu(), ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda load: load(False), loaders))
    except (RuntimeError, OSError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise MissingResource(
            f"ColBERT's extensions cannot be compiled: {lines[0]} ... {lines[-1]}",
            expected="a working C++17 compiler",
            where=str(_build_folder(EXTENSIONS[0]).parent),
            next_step=f"{_REMEDY}; COLBERT_LOAD_TORCH_EXTENSION_VERBOSE=True shows the compiler's output",
        ) from error


def _build_folder(name: str) -> Path:
    # The one place where torch says it; the folder depends on its version, Python's and CUDA's.
    from torch.utils.cpp_extension import _get_build_directory

    return Path(_get_build_directory(name, verbose=False))


def _not_compiled() -> list[str]:
    return [name for name in EXTENSIONS if not (_build_folder(name) / f"{name}.so").exists()]


def _find_ninja() -> None:
    """Puts ninja on PATH: its package keeps it in the environment's bin, which need not be activated."""
    if shutil.which("ninja"):
        return
    try:
        import ninja
    except ImportError as error:
        raise MissingResource(
            "ninja is not there", expected="ninja, which compiles ColBERT's extensions", next_step=_REMEDY
        ) from error
    os.environ["PATH"] = os.pathsep.join(part for part in (ninja.BIN_DIR, os.environ.get("PATH", "")) if part)


def _check_toolchain() -> None:
    compiler = os.environ.get("CXX", "c++")
    if not shutil.which(compiler):
        raise MissingResource(
            f"no C++ compiler: {compiler} is not on PATH", expected="g++, or CXX naming one", next_step=_REMEDY
        )
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.exists():
        raise MissingResource("Python's C headers are not there", expected=str(header), next_step=_REMEDY)


def _drop_stale_locks() -> None:
    """Removes the locks of compilations that were killed: torch would wait for them for ever."""
    for name in EXTENSIONS:
        lock = _build_folder(name) / "lock"
        if lock.exists() and time.time() - lock.stat().st_mtime > _STALE_LOCK_SECONDS:
            lock.unlink(missing_ok=True)
