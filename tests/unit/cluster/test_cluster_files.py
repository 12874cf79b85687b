"""Every cluster file is one that its tool would take, and all of them, the image and the project agree on versions."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from kuberay import schema_of

from evoray.config import parse_config

ROOT = Path(__file__).parents[3]
CLUSTER = ROOT / "cluster"
KUBERAY = sorted(CLUSTER.glob("kuberay-*.yaml"))
LAUNCHERS = [CLUSTER / "aws.yaml", CLUSTER / "gcp.yaml"]
DOCUMENTS = [document for path in KUBERAY for document in yaml.safe_load_all(path.read_text())]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
LAUNCHER = """
import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config

config = prepare_config(yaml.safe_load(open(sys.argv[1])))
validate_config(config)
assert config["available_node_types"][config["head_node_type"]]["resources"]["CPU"] == 0
"""


def ray_specs():
    for document in DOCUMENTS:
        if document["kind"] != "ConfigMap":
            yield document["spec"].get("rayClusterSpec", document["spec"])


def pods(spec):
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_every_file_is_known():
    assert {path.name for path in CLUSTER.glob("*.yaml")} == {path.name for path in (*KUBERAY, *LAUNCHERS)}
    assert {document["kind"] for document in DOCUMENTS} == {"RayCluster", "RayJob", "ConfigMap"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_kuberay_takes_it(document):
    jsonschema.validate(document, schema_of(document))


def test_the_schema_refuses_what_kuberay_does_not_know():
    for edit in (
        lambda spec: spec.update(enableInTreeAutoscalling=True),
        lambda spec: spec["authOptions"].update(mode="none"),
        lambda spec: spec["workerGroupSpecs"][0].pop("maxReplicas"),
        lambda spec: spec["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
        lambda spec: spec["headGroupSpec"]["template"]["spec"]["containers"][0].update(images="x"),
    ):
        document = copy.deepcopy(next(one for one in DOCUMENTS if one["kind"] == "RayCluster"))
        edit(document["spec"])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema_of(document))


@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.name)
def test_the_launcher_takes_it(path):
    """In a process of its own: importing Ray here would decide how later tests start it."""
    checked = subprocess.run([sys.executable, "-c", LAUNCHER, path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr[-2000:]


@pytest.mark.parametrize("spec", list(ray_specs()))
def test_clusters_grow_and_are_closed_to_strangers(spec):
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["authOptions"]["mode"] == "token"
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (workers,) = spec["workerGroupSpecs"]
    assert (workers["minReplicas"], workers["maxReplicas"] > 0) == (0, True)
    assert "spot" in str(workers["template"]["spec"]["nodeSelector"])
    for group in pods(spec):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["terminationGracePeriodSeconds"] >= 30
        assert "/shared" in [mount["mountPath"] for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert workers["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.name)
def test_launchers_start_ray_with_a_token_and_a_dashboard_of_the_node_alone(path):
    config = yaml.safe_load(path.read_text())
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert any(name.endswith(".ray/auth_token") for name in config["file_mounts"])
    starts = [line for key in ("head", "worker") for line in config[f"{key}_start_ray_commands"] if "ray start" in line]
    assert len(starts) == 2
    assert all(line.startswith("RAY_AUTH_MODE=token ray start") for line in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]


def test_the_job_runs_what_is_in_the_image_and_can_be_restarted():
    (job,) = [document["spec"] for document in DOCUMENTS if document["kind"] == "RayJob"]
    (run,) = [document["data"] for document in DOCUMENTS if document["kind"] == "ConfigMap"]
    words = shlex.split(job["entrypoint"])
    assert words[:2] == ["python", "/opt/evoray/jobs/evolve.py"]
    assert (ROOT / "jobs" / "evolve.py").is_file() and "COPY jobs ./jobs" in DOCKERFILE
    assert {"--out", "--restartable"} <= set(words) and job["backoffLimit"] > 0
    assert words[words.index("--out") + 1].startswith("/shared/")
    assert int(yaml.safe_load(job["runtimeEnvYAML"])["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"]) >= 10
    assert job["shutdownAfterJobFinishes"] is True
    assert words[2] == "/etc/evoray/" + next(iter(run))
    parse_config(tomllib.loads(run["run.toml"]))


def test_one_version_of_ray_and_of_python():
    (pin,) = [name for name in PROJECT["dependencies"] if name.startswith("ray[")]
    version = pin.partition("==")[2]
    texts = {path: path.read_text() for folder in ("cluster", "docker") for path in (ROOT / folder).iterdir()}
    named = {path.name: set(re.findall(r"evoray:[\d.]+-ray([\d.]+\d)", text)) for path, text in texts.items()}
    images = {name: found for name, found in named.items() if found}
    assert {"kuberay-job.yaml", "kuberay-cluster.yaml", "aws.yaml", "gcp.yaml", "README.md"} <= images.keys()
    assert set.union(*images.values()) == {version}
    assert {spec["rayVersion"] for spec in ray_specs()} == {version}
    assert re.findall(r"ARG RAY_VERSION=(\S+)", DOCKERFILE) == [version]
    (python,) = re.findall(r"FROM python:3\.(\d+)", DOCKERFILE)
    low, high = (int(minor) for minor in re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    assert low <= int(python) < high


def test_the_image_is_not_roots_and_has_a_cuda_variant():
    lines = DOCKERFILE.splitlines()
    assert "USER ray" in lines and "ARG TORCH_BACKEND=cpu" in lines
    assert lines.index("USER ray") > max(number for number, line in enumerate(lines) if line.startswith("RUN"))
    assert '--torch-backend "$TORCH_BACKEND"' in DOCKERFILE
    assert "RAY_AUTH_MODE=token" in DOCKERFILE
    assert not re.search(r"RAY_AUTH_TOKEN\s*=", DOCKERFILE)
