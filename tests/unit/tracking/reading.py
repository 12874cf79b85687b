"""Trackers that read back what another one wrote, by its library's own reader, in the process that has it loaded."""

from __future__ import annotations

import json
import os

from evoray.tracking.base import Begun


class MlflowReader:
    """Its beginning says what the store holds."""

    def begin(self, beginning):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{beginning.settings['directory']}/mlflow.db")
        experiment = client.get_experiment_by_name("evoray")
        found = []
        for run in client.search_runs([experiment.experiment_id]):
            history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
            folders = [one.path for one in client.list_artifacts(run.info.run_id) if one.is_dir]
            files = [one.path for folder in (None, *folders) for one in client.list_artifacts(run.info.run_id, folder)]
            found.append(
                {
                    "name": run.info.run_name,
                    "status": run.info.status,
                    "params": dict(run.data.params),
                    "tags": dict(run.data.tags),
                    "metrics": {name: sorted((one.step, one.value) for one in of) for name, of in history.items()},
                    "files": sorted(path for path in files if os.path.splitext(path)[1]),
                }
            )
        return Begun("reader", json.dumps(found))

    def round(self, step, figures): ...

    def end(self, results): ...
