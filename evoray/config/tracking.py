"""``[tracking]``: which experiment trackers are told what happens. A run may go on with others: it is the same."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from evoray.config.section import Section
from evoray.runtime.reading import shown

Named = Annotated[str, Field(min_length=1)]
Which = Annotated[tuple[Named, ...], Field(max_length=16)]


class TrackingConfig(Section):
    """Where figures, settings and results go while a run goes on. Keys and passwords are each tracker's own environment
    variables' business."""

    to: Which = ()
    """``tensorboard``, ``mlflow``, ``wandb``, or ``package.module:Class`` for one of the user's own."""
    project: Named | None = None
    """W&B's project, MLflow's experiment; else WANDB_PROJECT, MLFLOW_EXPERIMENT_NAME, or evoray."""
    name: Named | None = None
    """Of the run in the tracker; else the run directory's own."""
    uri: Named | None = None
    """MLflow's server or store; else MLFLOW_TRACKING_URI, or what MLflow takes itself."""
    directory: Named | None = None
    """Where trackers that write files put them; else ``tracking`` in the run directory."""
    mode: Literal["online", "offline"] | None = None
    """``offline``: W&B and MLflow write files there, and nothing is sent; else WANDB_MODE, or online."""
    artifacts: Literal["lineage", "weights", "none"] = "lineage"
    """What of the networks is handed over: recipes, the weights of best child and soup as well, or nothing."""
    patience: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None
    """Seconds without an answer for which the end of a run waits; else 1% of the run's time, at least 3, at most 15."""

    @field_validator("to", mode="before", json_schema_input_type=Which | Named)
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if twice := {name for name in self.to if self.to.count(name) > 1}:
            raise ValueError(f'to: "{shown(min(twice), 60)}" stands there twice')
        if "://" in (self.directory or ""):
            raise ValueError("directory: give a folder of this machine, trackers write to no other")
        parts = urlsplit(self.uri or "")
        if parts.password is not None:
            raise ValueError(
                "uri: a password in it would be written into config.json. "
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        if self.mode == "offline" and parts.scheme in ("http", "https"):
            raise ValueError('uri is a server\'s, and mode = "offline" sends nothing: leave one of them out')
        return self
