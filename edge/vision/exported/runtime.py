"""The runtimes ``onnx`` and ``openvino``: an exported model folder, served."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edge.errors import ModelMismatchError, SettingsError
from edge.vision.detections import Detections
from edge.vision.exported import RUNTIMES
from edge.vision.exported.graph import Engine, Graph
from edge.vision.exported.layout import outputs_of
from edge.vision.exported.network import ExportedRCNN
from edge.vision.exported.record import ExportRecord, read_record, read_verified
from edge.vision.model_folder import CONFIG_FILE
from edge.vision.native.config import Config
from edge.vision.native.postprocess import to_frame
from edge.vision.native.serving import Job, TorchRuntime
from edge.vision.native.support import check_supported

# `model.precision` unless someone sets it; then the folder alone says in what it was verified.
_LEAVES_IT_OPEN = ("float32", "auto")


class ExportedRuntime(TorchRuntime):
    """An exported model: graphs in ONNX Runtime or OpenVINO, all else in torch on the CPU, in float32.

    Args:
        folder: what ``stripsight export`` has written.
        name: of the runtime, ``onnx`` or ``openvino``.
        device: where the graphs run; see the engines.
        precision: that of the export, or ``float32`` or ``auto``, which take what it has.
        threads: CPU threads of the graphs, and of torch; None for their choice.
        is_verified: False for what is yet to be compared with its model, which nothing else may ask of it.
        score_threshold: stands in for the thresholds of ``model.json`` and config.

    Raises:
        ModelError: the folder cannot be served.
        SettingsError: unknown device, or another precision than that of the export.
    """

    _model: ExportedRCNN

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        device: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        score_threshold: float | None = None,
        is_verified: bool = True,
    ) -> None:
        self.name = name
        record = read_record(folder)
        if is_verified and record.verification is None:
            raise ModelMismatchError(
                f"{folder}: was never compared with the model that it was made from; "
                "`stripsight export` does both"
            )
        _check_meant(folder, record, name, precision)
        super().__init__(folder, device="cpu", threads=threads, score_threshold=score_threshold)
        read_verified(folder, record, CONFIG_FILE)
        check_supported(self.config, source=str(self.folder.config_file))
        engine = engine_for(record, device, threads)
        self.precision, self.device = record.precision, engine.device
        self._model = ExportedRCNN(self.config, load_graphs(folder, record, self.config, engine)).eval()
        self._model.roi_heads.score_thresholds.copy_(self._thresholds)

    def _group(self, seen: tuple[int, int]) -> tuple[int, int]:
        """Images that fill the same padded input."""
        return self._model.padded_size(*seen)

    def _run(self, jobs: Sequence[Job]) -> list[Detections]:
        raw = self._model(self._model.batch([self._input(job) for job in jobs]))
        return [
            to_frame(image_raw, job.seen, (job.image.shape[0], job.image.shape[1]))
            for image_raw, job in zip(raw, jobs, strict=True)
        ]


def _check_meant(folder: Path, record: ExportRecord, name: str, precision: str) -> None:
    if record.format != name:
        raise ModelMismatchError(
            f"{folder}: was exported for {RUNTIMES[record.format][0]}: "
            f'model.runtime = "{record.format}" runs it, not "{name}"'
        )
    if precision not in (*_LEAVES_IT_OPEN, record.precision):
        raise SettingsError(
            f"precision: '{precision}' is not that of the export {folder}, which was made and verified in "
            f"{record.precision}"
        )


def load_graphs(folder: Path, record: ExportRecord, config: Config, engine: Engine) -> dict[str, Graph]:
    """Make the graphs of an exported folder ready to run, by the names of their parts.

    Raises:
        ModelError: a file is not the one that was verified, is refused, or does not fit the config.
    """
    graphs = {}
    for part, expected in outputs_of(config.model).items():
        graphs[part] = engine.load(part, partial(read_verified, folder, record))
        if tuple(graphs[part].outputs) != expected:
            raise ModelMismatchError(
                f"{folder}: {part} answers {', '.join(graphs[part].outputs)}; "
                f"by the config it is {', '.join(expected)}"
            )
    return graphs


def engine_for(record: ExportRecord, device: str = "auto", threads: int | None = None) -> Engine:
    """Return what runs the graphs of an export.

    Raises:
        SettingsError: the device is unknown, or is not here.
    """
    if record.format == "onnx":
        from edge.vision.exported.with_onnxruntime import OnnxRuntimeEngine  # noqa: PLC0415 - an extra

        return OnnxRuntimeEngine(device, threads)
    from edge.vision.exported.with_openvino import OpenVinoEngine  # noqa: PLC0415 - an extra

    return OpenVinoEngine(device, threads, record.precision)
