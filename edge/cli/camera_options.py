"""What the camera commands have in common: their options, and what follows from them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edge.errors import SettingsError
from edge.settings import TOPIC_PATTERN, CameraSettings, Settings

if TYPE_CHECKING:
    from producers.pacing import Interval
    from producers.strip import StripPlan

Value = TypeVar("Value")

TOPIC_PREFIX = "frames."
_PACE, _STRIP, _KAFKA = "Pace and end", "Strip", "Kafka"


class SideName(StrEnum):
    """The sides of a strip."""

    top = "top"
    bottom = "bottom"


def _option(panel: str, help_text: str, metavar: str, **more: Any) -> Any:
    return typer.Option(help=help_text, metavar=metavar, rich_help_panel=panel, **more)


Topic = Annotated[str, typer.Option(help="Topic to publish to, for example `frames.cam1`.", metavar="TOPIC")]
Rate = Annotated[float | None, _option(_PACE, "Frames a second; default: as fast as they go.", "FPS")]
Speed = Annotated[
    float | None,
    _option(
        _PACE,
        "Speed of the line, instead of --rate: a frame is due when the one before it has passed.",
        "M/S",
    ),
]
Frames = Annotated[int | None, _option(_PACE, "End after so many frames.", "N", min=1)]
Line = Annotated[str | None, _option(_STRIP, "Rolling line. `cameras.<id>.line, line`", "NAME")]
CameraId = Annotated[
    str | None, _option(_STRIP, "Id of the camera; default: what follows `frames.` in the topic.", "ID")
]
Coil = Annotated[str, _option(_STRIP, "First coil; the next ones count up.", "ID")]
CoilLength = Annotated[float | None, _option(_STRIP, "Length of each coil.", "M")]
Side = Annotated[
    SideName | None,
    typer.Option(help="Side of the strip. `cameras.<id>.side`", rich_help_panel=_STRIP),
]
PitchX = Annotated[
    float | None,
    _option(_STRIP, "Strip that a pixel shows across the strip. `cameras.<id>.pitch_x_mm`", "MM"),
]
PitchY = Annotated[
    float | None,
    _option(_STRIP, "Strip that a pixel shows along the coil. `cameras.<id>.pitch_y_mm`", "MM"),
]
Offset = Annotated[
    float | None,
    _option(_STRIP, "First column, from the operator-side edge. `cameras.<id>.offset_mm`", "MM"),
]
Bootstrap = Annotated[str | None, _option(_KAFKA, "Address, host:port. `kafka.bootstrap_servers`", "ADDRESS")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="TOML file; default: stripsight.toml, if it is there.",
        metavar="FILE",
        rich_help_panel=_KAFKA,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOptions:
    """The options as they were given; None is for those that were not."""

    topic: str
    rate: float | None
    speed: float | None
    frames: int | None
    line: str | None
    camera: str | None
    coil: str
    coil_length: float | None
    side: SideName | None
    pitch_x_mm: float | None
    pitch_y_mm: float | None
    offset_mm: float | None
    bootstrap: str | None
    config: Path | None

    def settings(self) -> Settings:
        """Read the settings, in which Kafka's security and what is known of the camera may stand.

        Raises:
            SettingsError: a setting is wrong, or the topic's name is none.
        """
        from edge.configuration import load_settings

        if not re.fullmatch(TOPIC_PATTERN, self.topic):
            raise SettingsError(
                f"--topic: {self.topic!r} is not allowed; allowed: text that matches {TOPIC_PATTERN}"
            )
        return load_settings(self.config, {"kafka.bootstrap_servers": self.bootstrap})

    def plan(self, settings: Settings) -> "StripPlan":
        """Return where the camera looks: options count over settings, and those over the defaults.

        Raises:
            SettingsError: no strip is like that; the message names the value.
        """
        from producers.strip import DEFAULT_PITCH_MM, StripPlan

        camera = _first(self.camera, self.topic.removeprefix(TOPIC_PREFIX))
        known = settings.cameras.get(camera, CameraSettings())
        return StripPlan(
            line=_first(self.line, known.line, settings.line),
            camera=camera,
            side=self.side.value if self.side else known.side,
            pitch_x_mm=_first(self.pitch_x_mm, known.pitch_x_mm, DEFAULT_PITCH_MM),
            pitch_y_mm=_first(self.pitch_y_mm, known.pitch_y_mm, DEFAULT_PITCH_MM),
            offset_mm=_first(self.offset_mm, known.offset_mm),
            coil=self.coil,
            coil_length_mm=None if self.coil_length is None else 1000 * self.coil_length,
        )

    def interval(self) -> "Interval | None":
        """Return the pace; None for as fast as frames go.

        Raises:
            SettingsError: two paces.
        """
        from producers.pacing import by_line_speed, by_rate

        if self.rate is not None and self.speed is not None:
            raise SettingsError("--rate and --speed: give one of them, not both")
        if self.rate is not None:
            return by_rate(self.rate)
        return None if self.speed is None else by_line_speed(self.speed)


def _first(*values: Value | None) -> Value:
    """Return the strongest value that was given."""
    return next(value for value in values if value is not None)
