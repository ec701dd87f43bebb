"""What the camera commands have in common: their options, and what follows from them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.contracts.frame import LARGEST_PITCH_MM, LARGEST_POSITION_MM
from edge.errors import SettingsError
from edge.settings import CameraSettings, Settings

if TYPE_CHECKING:
    from producers.pacing import Interval
    from producers.strip import StripPlan

TOPIC_PREFIX = "frames."
_PACE, _STRIP, _KAFKA = "Pace and end", "Strip", "Kafka"


class SideName(StrEnum):
    """The sides of a strip."""

    top = "top"
    bottom = "bottom"


Topic = Annotated[
    str, typer.Option(help="Topic to publish to, for example `frames.cam1`.", show_default=False)
]
Rate = Annotated[
    float | None,
    typer.Option(help="Frames a second. Default: as fast as they go.", min=0.001, rich_help_panel=_PACE),
]
Speed = Annotated[
    float | None,
    typer.Option(
        help="Line speed in m/s, instead of --rate: a frame is due when the one before it has passed.",
        min=0.0001,
        rich_help_panel=_PACE,
    ),
]
Frames = Annotated[int | None, typer.Option(help="End after so many frames.", min=1, rich_help_panel=_PACE)]
Line = Annotated[
    str | None, typer.Option(help="Rolling line. `cameras.<id>.line, line`", rich_help_panel=_STRIP)
]
CameraId = Annotated[
    str | None,
    typer.Option(
        help="Id of the camera; default: what follows 'frames.' in the topic.", rich_help_panel=_STRIP
    ),
]
Coil = Annotated[str, typer.Option(help="First coil; the next ones count up.", rich_help_panel=_STRIP)]
CoilLength = Annotated[
    float | None,
    typer.Option(help="Length of each coil in m.", min=0.001, rich_help_panel=_STRIP),
]
Side = Annotated[
    SideName | None,
    typer.Option(help="Side of the strip. `cameras.<id>.side`", rich_help_panel=_STRIP),
]
PitchX = Annotated[
    float | None,
    typer.Option(
        help="mm of strip a pixel, across the strip. `cameras.<id>.pitch_x_mm`",
        min=0.0001,
        max=LARGEST_PITCH_MM,
        rich_help_panel=_STRIP,
    ),
]
PitchY = Annotated[
    float | None,
    typer.Option(
        help="mm of strip a pixel, along the coil. `cameras.<id>.pitch_y_mm`",
        min=0.0001,
        max=LARGEST_PITCH_MM,
        rich_help_panel=_STRIP,
    ),
]
Offset = Annotated[
    float | None,
    typer.Option(
        help="First column, mm from the operator-side edge. `cameras.<id>.offset_mm`",
        min=-LARGEST_POSITION_MM,
        max=LARGEST_POSITION_MM,
        rich_help_panel=_STRIP,
    ),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(help="Address, host:port. `kafka.bootstrap_servers`", rich_help_panel=_KAFKA),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="TOML file; default: stripsight.toml, if it is there.", rich_help_panel=_KAFKA
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
            SettingsError: a setting is wrong.
        """
        from edge.configuration import load_settings

        return load_settings(self.config, {"kafka.bootstrap_servers": self.bootstrap})

    def plan(self, settings: Settings) -> "StripPlan":
        """Return where the camera looks: options count over settings, and those over the defaults.

        Raises:
            SettingsError: no strip is like that; the message names the value.
        """
        from producers.strip import DEFAULT_PITCH_MM, StripPlan

        camera = self.camera or self.topic.removeprefix(TOPIC_PREFIX)
        known = settings.cameras.get(camera, CameraSettings())
        return StripPlan(
            line=self.line or known.line or settings.line,
            camera=camera,
            side=self.side.value if self.side else known.side,
            pitch_x_mm=self.pitch_x_mm or known.pitch_x_mm or DEFAULT_PITCH_MM,
            pitch_y_mm=self.pitch_y_mm or known.pitch_y_mm or DEFAULT_PITCH_MM,
            offset_mm=known.offset_mm if self.offset_mm is None else self.offset_mm,
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
