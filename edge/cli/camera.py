"""``stripsight camera``: put frames on Kafka as a camera does."""

from typing import Annotated

import typer

from edge.cli import camera_options as given

WIDTH_PX, HEIGHT_PX = 1600, 256

app = typer.Typer(
    name="camera",
    help="Publish frames to any Kafka: replayed images, or a synthetic strip.",
    no_args_is_help=True,
)


@app.command()
def replay(
    images: Annotated[
        str, typer.Argument(help="Folder, glob or file of JPEG and PNG images.", metavar="DIR")
    ],
    topic: given.Topic,
    loop: Annotated[bool, typer.Option("--loop", help="Start over after the last image.")] = False,
    rate: given.Rate = None,
    speed: given.Speed = None,
    frames: given.Frames = None,
    line: given.Line = None,
    camera: given.CameraId = None,
    coil: given.Coil = "C0001",
    coil_length: given.CoilLength = None,
    side: given.Side = None,
    pitch_x_mm: given.PitchX = None,
    pitch_y_mm: given.PitchY = None,
    offset_mm: given.Offset = None,
    bootstrap: given.Bootstrap = None,
    config: given.ConfigFile = None,
) -> None:
    """Publish images from disk as the frames of a strip that moves on image by image.

    The files' own bytes go out, in natural order of their names (frame9 before frame10). Line, coil, side,
    sequence, position and pixel pitch go along as headers. Ctrl-C waits for the last acknowledgements.
    """
    from edge.cli.publishing import publish
    from producers.images import ReplaySource

    options = given.CameraOptions(
        topic=topic,
        rate=rate,
        speed=speed,
        frames=frames,
        line=line,
        camera=camera,
        coil=coil,
        coil_length=coil_length,
        side=side,
        pitch_x_mm=pitch_x_mm,
        pitch_y_mm=pitch_y_mm,
        offset_mm=offset_mm,
        bootstrap=bootstrap,
        config=config,
    )
    settings = options.settings()
    source = ReplaySource(images, loop=loop)
    publish(settings, topic, source, options.plan(settings), options.interval(), frames)


@app.command()
def synthetic(
    topic: given.Topic,
    seed: Annotated[int, typer.Option(help="The same seed gives the same strip.", min=0)] = 1,
    rate: given.Rate = None,
    speed: given.Speed = None,
    frames: given.Frames = None,
    line: given.Line = None,
    camera: given.CameraId = None,
    coil: given.Coil = "C0001",
    coil_length: given.CoilLength = None,
    side: given.Side = None,
    pitch_x_mm: given.PitchX = None,
    pitch_y_mm: given.PitchY = None,
    offset_mm: given.Offset = None,
    bootstrap: given.Bootstrap = None,
    config: given.ConfigFile = None,
) -> None:
    """Publish a procedural steel strip with defects of Severstal's four classes, without an end.

    Edges, streaks and light go on from frame to frame within a coil, which is 32 frames unless its length is
    given. Drawing a frame of 1600 x 256 pixels takes some 40 ms, which bounds the rate. Ctrl-C waits for the
    last acknowledgements.
    """
    from dataclasses import replace

    from edge.cli.publishing import publish
    from edge.training.synthetic import SyntheticStrip
    from edge.training.synthetic.strip import FRAMES_PER_COIL
    from producers.strip import frames_of_a_coil
    from producers.synthetic import SyntheticSource

    options = given.CameraOptions(
        topic=topic,
        rate=rate,
        speed=speed,
        frames=frames,
        line=line,
        camera=camera,
        coil=coil,
        coil_length=coil_length,
        side=side,
        pitch_x_mm=pitch_x_mm,
        pitch_y_mm=pitch_y_mm,
        offset_mm=offset_mm,
        bootstrap=bootstrap,
        config=config,
    )
    settings = options.settings()
    plan = options.plan(settings)
    frames_per_coil = frames_of_a_coil(plan, HEIGHT_PX) or FRAMES_PER_COIL
    strip = SyntheticStrip(seed, WIDTH_PX, HEIGHT_PX, frames_per_coil=frames_per_coil)
    # Counted in frames on both sides, the coil changes in its headers where it changes in the image.
    plan = replace(plan, coil_length_mm=None, coil_frames=frames_per_coil)
    publish(settings, topic, SyntheticSource(strip), plan, options.interval(), frames)
