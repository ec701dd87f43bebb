"""``stripsight export``: a model for ONNX Runtime or OpenVINO."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.vision.exported.record import ExportRecord
    from edge.vision.runtime import Image

# More would take long, and tell little that these do not.
MOST_CALIBRATION_FRAMES = 100
MOST_VERIFICATION_FRAMES = 24
DRAWN_FRAMES = 8
DRAWN_SEED = 20_260_101


class Format(StrEnum):
    """What a model can be exported to."""

    onnx = "onnx"
    openvino = "openvino"


class Precision(StrEnum):
    """Of the convolutions of an export."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


def export(
    out: Annotated[Path, typer.Option(help="New folder to write.", metavar="DIR", file_okay=False)],
    export_format: Annotated[
        Format, typer.Option("--format", help="Of the graphs, and the runtime that they are for.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder with Detectron2's config.yaml and weights; default: the bundled model.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the convolutions; bfloat16 and int8 are for openvino.")
    ] = Precision.float32,
    calibrate: Annotated[
        str | None, typer.Option(help="int8: frames that show the ranges of values.", metavar="FRAMES_DIR")
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(help="Frames to compare the answers on; default: drawn strip.", metavar="FRAMES_DIR"),
    ] = None,
) -> None:
    """Export a model, compare its answers with the native runtime's, and write it only if they are the same.

    The folder is a model folder like others: `model.path` names it and `model.runtime` is the format. What a
    precision may change is in docs/export.md; export.json tells what was seen.
    """
    from rich.console import Console

    from consumers.output import writing_into
    from edge.vision import BUNDLED_MODEL
    from edge.vision.export import require_tools

    require_tools(export_format.value)
    from edge.vision.export.write import Request, check_options, export

    check_options(export_format.value, precision.value, calibrated=calibrate is not None)
    request = Request(
        format=export_format.value,
        precision=precision.value,
        calibration=_frames(calibrate, MOST_CALIBRATION_FRAMES) if calibrate else (),
        verification=_frames(verify, MOST_VERIFICATION_FRAMES) if verify else _drawn(),
        frames_from="given" if verify else "drawn strip",
    )
    console = Console(stderr=True)
    with writing_into(out), console.status("starting ...") as status:
        record = export(model or BUNDLED_MODEL, out, request, lambda doing: status.update(f"{doing} ..."))
    _show(record, out)


def _frames(place: str, most: int) -> "Sequence[Image]":
    """Read frames as the daemon would, evenly chosen if there are many."""
    from edge.errors import FrameError, ImageSourceError
    from edge.pipeline.decode import decode_image
    from edge.settings import PipelineSettings
    from producers.images import find_images

    paths = find_images(place)
    frames = []
    for path in paths[:: -(-len(paths) // most)]:
        try:
            frames.append(decode_image(path.read_bytes(), max_pixels=PipelineSettings().max_pixels))
        except FrameError as error:
            raise ImageSourceError(f"{path}: {error}") from error
    return frames


def _drawn() -> "Sequence[Image]":
    from edge.training.synthetic import SyntheticStrip

    strip = SyntheticStrip(DRAWN_SEED, defect_rate=1.0)
    return [strip.frame(number).image for number in range(DRAWN_FRAMES)]


def _show(record: "ExportRecord", out: Path) -> None:
    verified = record.verification
    assert verified is not None  # noqa: S101 - what is written was verified
    worst = max(verified.errors, key=verified.errors.__getitem__)
    print(
        f"{record.source.name} {record.source.version} for {record.format} in {record.precision}: {out}\n"
        f"compared on {verified.frames} frames ({verified.frames_from}): {verified.agreement:.1%} of "
        f"{verified.detections} detections the same, graphs within {verified.errors[worst]:.2g} ({worst})"
    )
