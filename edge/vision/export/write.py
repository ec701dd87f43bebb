"""``stripsight export``: a model folder in, a verified folder of graphs out, or nothing."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import onnx

from edge.errors import OutputError, SettingsError
from edge.vision.export.calibrate import Calibration
from edge.vision.export.parts import parts_of
from edge.vision.export.samples import part_inputs
from edge.vision.export.to_onnx import OPSET, to_onnx
from edge.vision.export.verify import TOLERANCES, Subject, verify
from edge.vision.exported.layout import BOX_PREDICTOR
from edge.vision.exported.record import (
    EXPORT_FILE,
    ExportRecord,
    Format,
    Precision,
    Source,
    Tolerances,
    digest,
)
from edge.vision.model_folder import CONFIG_FILE, DESCRIPTION_FILE, ModelFolder, read_model_folder
from edge.vision.native.runtime import load_network
from edge.vision.runtime import Image

# What was proven to be right, and worth it: ONNX Runtime has no convolutions in bfloat16 on CPUs, and in int8
# they were slower there than in float32.
PRECISIONS: dict[Format, tuple[Precision, ...]] = {
    "onnx": ("float32",),
    "openvino": ("float32", "bfloat16", "int8"),
}
CARD_FILE = "README.md"
LIBRARIES = {"onnx": ("torch", "onnx", "onnxruntime"), "openvino": ("torch", "onnx", "openvino", "nncf")}


@dataclass(frozen=True, slots=True)
class Request:
    """What to export to, and the frames to do it by; ``frames_from`` names those of the verification.

    ``calibration`` is for int8 alone; ``tolerances`` None means those of the precision.
    """

    format: Format
    precision: Precision
    verification: Sequence[Image]
    frames_from: str
    calibration: Sequence[Image] = ()
    tolerances: Tolerances | None = None


def export(
    folder: Path, out: Path, request: Request, progress: Callable[[str], None] = lambda _: None
) -> ExportRecord:
    """Export the model in ``folder`` into the new folder ``out``, once it is seen to answer the same.

    Args:
        folder: of a model that the native runtime serves.
        out: is written whole or not at all.
        request: what to export to.
        progress: is told what is being done.

    Raises:
        ExportRefusedError: the answers differ by more than the tolerances.
        ModelError: the model cannot be served or exported.
        OutputError: there is something at ``out``.
        SettingsError: the format does not have the precision, or int8 has no frames.
        OSError: ``out`` cannot be written.
    """
    check_options(request.format, request.precision, calibrated=bool(request.calibration))
    if out.exists():
        raise OutputError(f"{out} is there already; an export is written into a new folder (--out)")
    source = read_model_folder(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as place:
        made = Path(place) / out.name
        made.mkdir()
        record = _make(source, made, request, progress)
        made.rename(out)
    return record


def check_options(export_format: Format, precision: Precision, *, calibrated: bool) -> None:
    """Refuse what does not go together.

    Raises:
        SettingsError: names what.
    """
    allowed = PRECISIONS[export_format]
    if precision not in allowed:
        raise SettingsError(
            f"--precision {precision} is not offered for --format {export_format}, "
            f"which has {', '.join(allowed)}"
        )
    if (precision == "int8") != calibrated:
        raise SettingsError(
            "--precision int8 and --calibrate belong together: frames show the ranges of values"
        )


def _make(source: ModelFolder, made: Path, request: Request, progress: Callable[[str], None]) -> ExportRecord:
    """Write the folder, compare it, and write down what was seen."""
    progress("reading the model")
    network = load_network(source)
    parts = parts_of(network, source.config)
    (sample,) = part_inputs(network, source.config, parts, request.verification[:1])
    models = {}
    for part in parts:
        progress(f"exporting {part.name}")
        models[part.name] = to_onnx(part, sample[part.name], network.backbone.size_divisibility)
    if request.format == "onnx":
        for name, model in models.items():
            (made / f"{name}.onnx").write_bytes(model.SerializeToString())
    else:
        calibration = None
        if request.calibration:
            progress(f"calibrating on {len(request.calibration)} frames")
            calibration = Calibration(network, source.config, parts, request.calibration)
        _write_openvino(models, made, calibration, progress)
    _copy_rest(source, made)
    record = _describe(source, made, request)
    progress(f"comparing with the native runtime on {len(request.verification)} frames")
    verification = verify(
        Subject(made, record, source, network, parts),
        request.verification,
        frames_from=request.frames_from,
        tolerances=request.tolerances or TOLERANCES[request.precision],
    )
    record = msgspec.structs.replace(record, verification=verification)
    _write_record(made, record)
    return record


def _write_openvino(
    models: Mapping[str, onnx.ModelProto],
    made: Path,
    calibration: Calibration | None,
    progress: Callable[[str], None],
) -> None:
    from edge.vision.export.to_openvino import quantise, save, to_openvino  # noqa: PLC0415 - an extra

    for name, model in models.items():
        converted = to_openvino(model)
        if calibration is not None and not name.startswith(BOX_PREDICTOR):
            progress(f"quantising {name}")
            converted = quantise(converted, calibration.inputs(name), len(calibration.frames))
        save(converted, made / f"{name}.xml")


def _describe(source: ModelFolder, made: Path, request: Request) -> ExportRecord:
    """Write the record of what is there, not yet compared: the runtime loads no folder without one."""
    record = ExportRecord(
        format=request.format,
        precision=request.precision,
        opset=OPSET,
        source=Source(source.name, source.version),
        files={file.name: digest(file.read_bytes()) for file in sorted(made.iterdir()) if _is_verified(file)},
        libraries={name: version(name) for name in LIBRARIES[request.format]},
        calibration_frames=len(request.calibration),
    )
    _write_record(made, record)
    return record


def _copy_rest(source: ModelFolder, made: Path) -> None:
    """Copy config, description and model card, which may tell the terms that the weights are under."""
    shutil.copyfile(source.config_file, made / CONFIG_FILE)
    folder = source.config_file.parent
    if (folder / CARD_FILE).is_file():
        shutil.copyfile(folder / CARD_FILE, made / CARD_FILE)
    entries = {"name": source.name, "classes": list(source.class_names)}
    if (folder / DESCRIPTION_FILE).is_file():
        entries |= json.loads((folder / DESCRIPTION_FILE).read_bytes())
    (made / DESCRIPTION_FILE).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _is_verified(file: Path) -> bool:
    """Thresholds may be tuned later, and a card be written; the rest stays as it was verified."""
    return file.name not in {DESCRIPTION_FILE, CARD_FILE}


def _write_record(made: Path, record: ExportRecord) -> None:
    (made / EXPORT_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
