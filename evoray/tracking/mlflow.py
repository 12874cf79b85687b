"""MLflow: a server, or a store of its own, by its client. A resumed run goes on in the same MLflow run."""

from __future__ import annotations

import os
import posixpath
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# EvoRay tries again by itself, and tells a server that is away from one that is slow; set by the user, both stay
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from evoray.tracking.base import Beginning, Begun, Results, Value

BATCH = 100
"""Parameters in one request."""
PARAMETER_CHARACTERS, TAG_CHARACTERS = 500, 5000
COUNTED = "round"
"""The metric that says which rounds the store has."""


class MLflow:
    """Parameters, metrics by step, artifacts; the verdict as tag and description."""

    def begin(self, beginning: Beginning) -> Begun:
        uri, folder = _store(beginning.settings)
        self._client = MlflowClient(tracking_uri=uri)
        self._run, delivered = self._found(beginning.known.id)
        if self._run is None:
            experiment = self._experiment(beginning.settings, folder)
            tags = {"evoray.run": beginning.run, "evoray.directory": beginning.location}
            made = self._client.create_run(experiment, tags=tags, run_name=str(beginning.settings["name"]))
            self._run = made.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        self._parameters(beginning.config)
        return Begun(self._run, f"{self._client.tracking_uri} run {self._run}", delivered)

    def round(self, step: int, figures: Mapping[str, Value]) -> None:
        self._metrics(step, {**figures, COUNTED: step})  # one request, so a round is there whole

    def end(self, results: Results) -> None:
        assert self._run is not None
        self._metrics(results.step, results.figures)
        said = results.verdict or f"stopped: {results.error}"
        for name in ("verdict", "mlflow.note.content"):
            self._client.set_tag(self._run, name, said[:TAG_CHARACTERS])
        with tempfile.TemporaryDirectory() as folder:
            for picture in results.pictures:
                drawn = Path(folder, f"{picture.name}.png")
                drawn.write_bytes(picture.png)
                self._client.log_artifact(self._run, str(drawn), "report")
        for name, path in results.files.items():
            self._client.log_artifact(self._run, path, posixpath.dirname(name) or None)
        self._client.set_terminated(self._run, "FINISHED" if results.error is None else "FAILED")

    def _found(self, known: str | None) -> tuple[str | None, int]:
        """The run of before and the last round that the store has of it; (None, 0) where it has no such run."""
        if known is None:
            return None, 0
        try:
            if self._client.get_run(known).info.lifecycle_stage != "active":
                return None, 0
            history = self._client.get_metric_history(known, COUNTED)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None, 0
            raise
        return known, max((one.step for one in history), default=0)

    def _experiment(self, settings: Mapping[str, Any], folder: str | None) -> str:
        name = str(settings.get("project") or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "evoray")
        if (found := self._client.get_experiment_by_name(name)) is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=folder))

    def _parameters(self, config: Mapping[str, Any]) -> None:
        """A parameter is written once: those of before stay, as where workers are, which a resumed run may change."""
        there = self._client.get_run(self._run).data.params
        new = [Param(name, str(value)[:PARAMETER_CHARACTERS]) for name, value in config.items() if name not in there]
        for first in range(0, len(new), BATCH):
            self._client.log_batch(self._run, params=new[first : first + BATCH])

    def _metrics(self, step: int, figures: Mapping[str, Value]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)


def _store(settings: Mapping[str, Any]) -> tuple[str, str | None]:
    """Where MLflow writes, and where artifacts of a new experiment lie if that is not the store's to say."""
    if uri := settings.get("uri"):
        return str(uri), None
    if settings.get("mode") == "offline":
        folder = Path(str(settings["directory"])).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / 'mlflow.db'}", (folder / "mlflow-artifacts").as_uri()
    return str(mlflow.get_tracking_uri()), None
