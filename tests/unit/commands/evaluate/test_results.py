"""What `jmlr results` needs before it shows a table."""

from __future__ import annotations

import subprocess
import sys


def test_a_result_is_shown_without_loading_models_or_statistics():
    code = "import jmlr.commands.evaluate.results, sys; print(*{'torch', 'scipy.stats', 'bm25s'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
