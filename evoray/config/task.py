"""``[task]``: what children are asked to do. A task's own keys stand beside its name (``evoray.tasks.keys``)."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from evoray.config.section import Section


class TaskConfig(Section):
    """A task without keys of its own, and what the section of one with keys is derived from."""

    name: str = "image-classification"
    """A task of EvoRay, or ``package.module:MyTask``: see ``evoray.tasks.base``."""

    @property
    def settings(self) -> dict[str, Any]:
        """The keys beside the name that were given."""
        return {key: value for key, value in vars(self).items() if key in self.model_fields_set and key != "name"}

    @model_serializer(mode="wrap")
    def _as_given(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without keys that nobody gave: what was recorded before there were any is what is recorded now."""
        return {key: value for key, value in written(self).items() if key == "name" or key in self.model_fields_set}
