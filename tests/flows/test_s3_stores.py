"""DVC's remote and MLflow's artifacts on S3, against moto's server: pip install -e '.[s3]' 'moto[server]' to run it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import background, dvc, servers

moto_server = pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
pytest.importorskip("dvc_s3", reason="pip install -e '.[s3]'")
boto3 = pytest.importorskip("boto3", reason="pip install -e '.[s3]'")

pytestmark = pytest.mark.slow

LOG_AND_READ = """
import sys
from pathlib import Path
from jmlr.tracking.run import TrainingRun
Path("note.txt").write_text("kept on S3")
with TrainingRun.start("stores", {}) as run:
    run.log_artifacts(Path("note.txt"))
Path("note.txt").unlink()
import mlflow
print(Path(mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/note.txt")).read_text())
"""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """The address of a server with an empty bucket `jmlr`, and a client of it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="jmlr")
    yield address, client
    server.stop()


def keys(client: Any, prefix: str) -> list[str]:
    """What the bucket holds."""
    return [one["Key"] for one in client.list_objects_v2(Bucket="jmlr", Prefix=prefix).get("Contents", [])]


def call_dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_copy_without_cache_gets_data_and_outputs_from_the_remote(tiny_repository: Path, s3: tuple[str, Any]) -> None:
    address, client = s3
    call_dvc(tiny_repository, "remote", "add", "-d", "store", "s3://jmlr/dvc")
    call_dvc(tiny_repository, "remote", "modify", "store", "endpointurl", address)
    call_dvc(tiny_repository, "push", "-q")
    assert keys(client, "dvc/")
    for gone in (tiny_repository / "data", tiny_repository / ".dvc" / "cache"):
        shutil.rmtree(gone)
    (tiny_repository / "a.txt").unlink()
    call_dvc(tiny_repository, "pull", "-q")
    assert (tiny_repository / "a.txt").read_text() == "first"
    assert dvc.is_up_to_date(tiny_repository)


def test_mlflow_s_server_keeps_artifacts_in_the_bucket(
    tmp_path: Path, free_port: int, s3: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = s3
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
    wanted = {"JMLR_MLFLOW_PORT": str(free_port), "MLFLOW_ARTIFACTS_DESTINATION": "s3://jmlr/mlflow"}
    _, mlflow = servers.programs(wanted)
    try:
        background.start(mlflow, servers.FOLDER)
        background.wait_until_healthy(mlflow, servers.FOLDER, 180)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_S3_ENDPOINT_URL"):
            monkeypatch.delenv(name)  # the server alone knows the keys
        done = subprocess.run(
            [sys.executable, "-c", LOG_AND_READ], capture_output=True, text=True, timeout=240, check=False
        )
        assert "kept on S3" in done.stdout, done.stdout + done.stderr
        assert any(key.endswith("note.txt") for key in keys(client, "mlflow/"))
        assert not list(tmp_path.rglob("note.txt"))
    finally:
        background.stop(servers.FOLDER, mlflow.name)
