from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from jmlr.cli import app
from jmlr.cli.table import MODULES
from jmlr.commands.passages.withdraw import Asked
from jmlr.errors import DataError
from jmlr.settings import Settings, recipes

CONF = Path(__file__).parents[3] / "conf"
STAGES = ["ingest", "validate", "base", "index", "train", "evaluate", "register", "results"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the starter's params.yaml, and an environment that the command line may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("HF_HUB_OFFLINE", "DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        os.environ.pop(name, None)
    params = (CONF.parent / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params.replace("stages: true", "stages: false"), encoding="utf-8")
    return tmp_path


def fake_stage(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[object, ...]]:
    """Puts a stage in place that only notes what it was called with."""
    calls: list[tuple[object, ...]] = []
    module = ModuleType(MODULES[name])
    module.run = lambda *arguments: calls.append(arguments)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULES[name], module)
    return calls


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of `jmlr ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["jmlr", *arguments])
    with pytest.raises(SystemExit) as exit_of:
        app.main()
    return int(exit_of.value.code or 0)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_command_that_gives_it_the_settings(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    calls = fake_stage(monkeypatch, name)
    assert run_main(monkeypatch, name) == 0
    [(settings,)] = calls
    assert isinstance(settings, Settings)
    assert settings.recipe == "starter"


def test_ask_takes_a_vignette_and_options_in_order(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_stage(monkeypatch, "ask")
    assert run_main(monkeypatch, "ask", "Which test?", "--option", "MRI", "-o", "ECG") == 0
    assert calls[0][1:] == ("Which test?", ["MRI", "ECG"], "", True)
    words = ("ask", "Which test?", "-o", "MRI", "-o", "ECG", "--version", "2", "--no-server")
    assert run_main(monkeypatch, *words) == 0
    assert calls[1][1:] == ("Which test?", ["MRI", "ECG"], "2", False)


@pytest.mark.parametrize(
    ("words", "stage", "given"),
    [
        (["refresh"], "refresh", ("",)),
        (["refresh", "--version", "champion"], "refresh", ("champion",)),
        (["evaluate", "--refreshed"], "evaluate_refreshed", ()),
        (["register", "--refreshed"], "register_refreshed", ()),
    ],
)
def test_a_refresh_has_three_steps(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], stage: str, given: tuple[object, ...]
) -> None:
    calls = fake_stage(monkeypatch, stage)
    assert run_main(monkeypatch, *words) == 0
    assert calls[0][1:] == given


def test_withdraw_takes_a_name_and_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr("jmlr.commands.passages.withdraw.run", lambda settings, asked: called.append(asked))
    assert run_main(monkeypatch, "withdraw", "gout", "--reason", "superseded", "--kind", "document", "--dry-run") == 0
    assert run_main(monkeypatch, "withdraw", "--undo", "--reason", "a mistake", "--", "-gout") == 0
    assert called == [Asked("gout", "superseded", "document_id", dry_run=True), Asked("-gout", "a mistake", undo=True)]


@pytest.mark.parametrize(
    ("words", "stage", "given"),
    [
        (["predict", "asked.csv", "said.parquet"], "predict", (Path("asked.csv"), Path("said.parquet"), "@champion")),
        (["export", "out", "--version", "3"], "export", (Path("out"), "3")),
        (["import", "published"], "import_pair", (Path("published"),)),
    ],
)
def test_commands_on_versions_hand_on_what_they_are_given(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], stage: str, given: tuple[object, ...]
) -> None:
    calls = fake_stage(monkeypatch, stage)
    assert run_main(monkeypatch, *words) == 0
    assert calls[0][1:] == given


@pytest.mark.parametrize(
    ("words", "stage", "given"),
    [
        (["--version", "champion"], "evaluate_version", ("champion", "")),
        (["--version", "models:/jmlr/3", "--name", "old"], "evaluate_version", ("models:/jmlr/3", "old")),
        (["--reader", "someone/llama", "--revision", "0123"], "evaluate_reader", ("someone/llama", "0123", "")),
    ],
)
def test_evaluate_takes_a_version_or_a_reader(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], stage: str, given: tuple[object, ...]
) -> None:
    calls = fake_stage(monkeypatch, stage)
    assert run_main(monkeypatch, "evaluate", *words) == 0
    assert calls[0][1:] == given
    assert ("HF_HUB_OFFLINE" in os.environ) == (stage == "evaluate_version")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--version", "3", "--reader", "r"], "--version and --reader"),
        (["--version", "3", "--refreshed"], "--version and --refreshed"),
        (["--revision", "0123"], "--revision or --name alone"),
        (["--version", "3", "--revision", "0123"], "--revision or --name alone"),
        (["--name", "n"], "--revision or --name alone"),
    ],
)
def test_evaluate_refuses_words_that_do_not_go_together(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], found: str
) -> None:
    assert run_main(monkeypatch, "evaluate", *words) == 2
    assert found in capsys.readouterr().err


def test_an_error_is_printed_without_traceback_and_ends_with_2(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Settings) -> None:
        raise DataError("row 3 is empty", expected="a question", where="data/q.jsonl", next_step="mend the row")

    fake_stage(monkeypatch, "ingest")
    monkeypatch.setattr(sys.modules["jmlr.stages.ingest"], "run", refuse)
    assert run_main(monkeypatch, "ingest") == 2
    assert capsys.readouterr().err == (
        "error: data/q.jsonl: row 3 is empty; expected a question.\n  next: mend the row\n"
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_cannot_be_written_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def refuse(_: Settings) -> None:
        raise OSError(number, os.strerror(number), "build/ingest")

    fake_stage(monkeypatch, "ingest")
    monkeypatch.setattr(sys.modules["jmlr.stages.ingest"], "run", refuse)
    assert run_main(monkeypatch, "ingest") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: build/ingest: {os.strerror(number)}.\n  next: make it writable for this user")


def test_debug_shows_the_traceback(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "params.yaml").unlink()
    monkeypatch.setattr(sys, "argv", ["jmlr", "--debug", "ingest"])
    with pytest.raises(Exception, match=r"params\.yaml: no such file") as caught:
        app.main()
    assert not isinstance(caught.value, SystemExit)


def test_without_params_the_next_step_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "params.yaml").unlink()
    assert run_main(monkeypatch, "train") == 2
    assert "run jmlr in the repository's root" in capsys.readouterr().err


def test_a_recipe_without_hub_stays_offline_and_no_library_reports(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stage(monkeypatch, "ingest")
    run_main(monkeypatch, "ingest")
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["DVC_NO_ANALYTICS"] == "1"


def test_a_recipe_with_hub_may_use_the_network(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes.write_params("jmlr-7b", root / "params.yaml", CONF)
    fake_stage(monkeypatch, "base")
    run_main(monkeypatch, "base")
    assert "HF_HUB_OFFLINE" not in os.environ


def test_what_the_training_will_lack_is_said_at_the_first_stage(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = (root / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(params.replace("needs_gpu: false", "needs_gpu: true"), encoding="utf-8")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    fake_stage(monkeypatch, "ingest")
    assert run_main(monkeypatch, "ingest") == 0
    assert "warning: train.needs_gpu: torch sees no GPU here; the stages before it run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("severities: {}", "severities: {phi_emial: off}", "no such expectation: validate.severities.phi_emial"),
        (
            "source: minilm\n    revision: null",
            "source: ./imported/retriever\n    revision: 0123abc",
            "params.yaml, base.retriever.source: no folder ./imported/retriever",
        ),
    ],
)
def test_what_a_later_stage_would_refuse_the_first_one_does(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    params = (root / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(params.replace(old, new), encoding="utf-8")
    calls = fake_stage(monkeypatch, "ingest")
    assert run_main(monkeypatch, "ingest") == 2
    assert message in capsys.readouterr().err
    assert not calls


def test_what_the_user_set_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ["HF_HUB_OFFLINE"] = "0"
    fake_stage(monkeypatch, "ingest")
    run_main(monkeypatch, "ingest")
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_recipes_are_listed_with_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONF.parent)
    shown = CliRunner().invoke(app.app, ["recipes"]).output
    assert "needs model hub: colbert-ir/colbertv2.0, meta-llama/Llama-2-7b-hf" in shown
    assert shown.index("jmlr-13b") < shown.index("needs GPU") < shown.index("starter")


def test_recipes_use_writes_params(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONF, root / "conf")
    assert run_main(monkeypatch, "recipes", "--use", "pubmedqa") == 0
    assert (root / "params.yaml").read_text(encoding="utf-8") == recipes.compose_text("pubmedqa", CONF)


def test_starter_data_is_written_to_the_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "starter", "data", "--folder", "elsewhere") == 0
    assert sorted(path.name for path in (root / "elsewhere").iterdir()) == ["passages.jsonl", "questions.jsonl"]


def test_help_of_train_lists_its_settings_and_names_where_they_are_explained() -> None:
    shown = CliRunner().invoke(app.app, ["train", "--help"])
    assert shown.exit_code == 0
    assert shown.output.index("Usage") < shown.output.index("All blocks: docs/settings.md")
    assert "  train.sampling.passages = 12\n      Passages drawn from the pool" in shown.output


def test_help_imports_no_heavy_library() -> None:
    """`jmlr --help` answers in a second, and DVC calls `jmlr` for every stage."""
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom jmlr.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = 'torch mlflow transformers great_expectations prefect pandas colbert deepspeed'\n"
        "print(sorted(set(heavy.split()) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_way_to_an_answer_loads_only_what_answers() -> None:
    """A running server is asked without torch; a pair is loaded without what others need, seconds each.

    transformers' own models load SciPy, and scikit-learn with pandas, wherever they are installed.
    """
    code = (
        "import sys\nimport jmlr.cli.app, jmlr.commands.serve.ask\n"
        "print(sorted({'torch', 'transformers', 'mlflow', 'scipy'} & set(sys.modules)))\n"
        "import jmlr.commands.serve.serve, jmlr.answering.answerer, jmlr.serving.model\n"
        "print(sorted({'scipy', 'sklearn', 'pandas'} & set(sys.modules)))\n"
        "from transformers import BertModel, LlamaForCausalLM\n"
        "heavy = 'colbert statsmodels great_expectations deepspeed prefect dvc matplotlib mlflow faiss'\n"
        "print(sorted(set(heavy.split()) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]", "[]"]
