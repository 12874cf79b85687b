"""TensorBoard: event files in a folder, by TensorBoard's own writer. A resumed run begins one more, in the same one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from evoray.tracking.base import Beginning, Begun, Results, Value

FOLDER = "tensorboard"


class TensorBoard:
    """Writes scalars, hyper-parameters, pictures and texts."""

    def begin(self, beginning: Beginning) -> Begun:
        folder = os.path.join(str(beginning.settings["directory"]), FOLDER)
        if beginning.settings.get("shared"):
            folder = os.path.join(folder, str(beginning.settings["name"]))
        before = os.path.isdir(folder) and any("tfevents" in name for name in os.listdir(folder))
        delivered = beginning.known.delivered if before else 0
        self._writer = EventFileWriter(folder, flush_secs=10)
        if before:
            # what an earlier process wrote from here on, and could not say so, readers then leave out
            self._add(delivered + 1, session_log=SessionLog(status=SessionLog.START))
        self._hyper_parameters(beginning)
        self._writer.flush()
        return Begun(folder, folder, delivered)

    def round(self, step: int, figures: Mapping[str, Value]) -> None:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
        self._add(step, summary=Summary(value=values))
        self._writer.flush()

    def end(self, results: Results) -> None:
        self.round(results.step, results.figures)
        self._text("verdict", results.verdict or f"stopped: {results.error}", results.step)
        for picture in results.pictures:
            image = Summary.Image(encoded_image_string=picture.png)
            self._add(results.step, summary=Summary(value=[Summary.Value(tag=f"report/{picture.name}", image=image)]))
        for name, path in results.files.items():
            if name.endswith(".json"):
                with open(path) as file:
                    self._text(name, f"```\n{file.read()}\n```", results.step)
        if results.error is None:  # readers take the first that there is, and a run that was stopped may go on
            info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
            self._session(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=info))
        self._writer.close()

    def _add(self, step: int, **content: Any) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, **content))

    def _text(self, tag: str, text: str, step: int) -> None:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
        described = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        value = Summary.Value(tag=tag, tensor=tensor, metadata=described)
        self._add(step, summary=Summary(value=[value]))

    def _hyper_parameters(self, beginning: Beginning) -> None:
        info = plugin_data_pb2.SessionStartInfo(group_name=beginning.run, start_time_secs=time.time())
        for name, value in beginning.config.items():
            if isinstance(value, bool):
                info.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                info.hparams[name].number_value = value
            else:
                info.hparams[name].string_value = str(value)
        self._session(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=info))
        self._text("configuration", f"```json\n{json.dumps(dict(beginning.config), indent=1)}\n```", 0)

    def _session(self, tag: str, data: Any) -> None:
        described = metadata.create_summary_metadata(data)
        value = Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)
        self._add(0, summary=Summary(value=[value]))
