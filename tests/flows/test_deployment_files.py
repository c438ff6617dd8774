"""prefect.yaml, the Kubernetes manifests and the Dockerfile: read by their own tools where these are here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.utilities.importtools import load_script_as_module

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
# What Prefect puts into the placeholders of a flow run's job.
FILLED = {
    "labels": {"app": "a"},
    "namespace": "jmlr",
    "name": "run",
    "finished_job_ttl": 86400,
    "service_account_name": "default",
    "image": "jmlr:0.1.0",
    "image_pull_policy": "IfNotPresent",
    "command": ["prefect", "flow-run", "execute"],
    "env": [{"name": "A", "value": "b"}],
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def filled(value: Any) -> Any:
    """A manifest with Prefect's placeholders replaced."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if isinstance(value, str) and (found := re.fullmatch(r"\{\{ (\w+) \}\}", value)):
        return FILLED[found[1]]
    return value.replace("{{ name }}", "run") if isinstance(value, str) else value


def test_prefect_reads_its_file_and_every_key_of_it() -> None:
    raw = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    read = PrefectYamlModel.model_validate(raw)
    assert [deployment.name for deployment in read.deployments] == ["process", "docker", "kubernetes"]
    for given, deployment in zip(raw["deployments"], read.deployments, strict=True):
        assert set(given) <= set(type(deployment).model_fields)  # the model would pass over a misspelt key
        assert deployment.schedules
        assert deployment.work_pool
        assert set(given["work_pool"]) <= set(type(deployment.work_pool).model_fields)


def test_every_entrypoint_is_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    read = PrefectYamlModel.model_validate(yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8")))
    for deployment in read.deployments:
        path, _, name = str(deployment.entrypoint).partition(":")
        assert getattr(load_script_as_module(str(ROOT / path)), name).name == "jmlr-pipeline"


def test_the_files_name_the_prefect_that_is_locked() -> None:
    locked = re.search(r"^prefect==(\S+)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert locked
    assert yaml.safe_load((ROOT / "prefect.yaml").read_text())["prefect-version"] == locked[1]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_takes_the_manifests(path: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for manifest in documents(path):
        kubernetes_validate.validate(filled(manifest), kubernetes_validate.latest_version(), strict=True)


def test_training_on_several_nodes_agrees_with_itself() -> None:
    claim, service, job = documents(ROOT / "deploy" / "kubernetes" / "training.yaml")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    nodes = next(one["value"] for one in container["env"] if one["name"] == "NODES")
    assert spec["completions"] == spec["parallelism"] == int(nodes)
    assert spec["completionMode"] == "Indexed"
    assert f"--nproc_per_node={container['resources']['limits']['nvidia.com/gpu']}" in container["args"]
    endpoint = next(one for one in container["args"] if one.startswith("--rdzv_endpoint="))
    host, port = endpoint.removeprefix("--rdzv_endpoint=").split(":")
    assert host == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert int(port) == service["spec"]["ports"][0]["port"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["args"][-3:] == ["-m", "jmlr.cli", "train"]


def test_the_image_takes_the_lock_and_is_no_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "-r requirements.lock" in text
    assert re.search(r"^USER 1000$", text, flags=re.MULTILINE)
    copied = re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(let_in)


def test_every_extra_of_the_image_exists() -> None:
    extras = re.search(r'EXTRAS="([\w,]+)"', (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert extras
    definition = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for name in extras[1].split(",") if f"\n{name} = [" not in definition] == []
