"""What the user of the demo asked for, and the parts that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.settings import HttpSettings, KafkaSettings, ModelSettings, Settings
from edge.training.synthetic import SyntheticStrip
from edge.training.synthetic.strip import FRAMES_PER_COIL
from producers.images import ReplaySource, find_images
from producers.source import ImageSource
from producers.strip import StripPlan
from producers.synthetic import SyntheticSource

LINE = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """``frames`` is the total over all cameras; None runs until the user ends it."""

    source: str | None
    cameras: int
    rate: float
    frames: int | None
    out: Path | None
    port: int
    seed: int
    model: ModelSettings

    def camera_names(self) -> list[str]:
        """Return cam1, cam2 ..."""
        return [f"cam{number}" for number in range(1, self.cameras + 1)]

    def frame_limits(self) -> list[int | None]:
        """Share the total among the cameras; the first ones take what does not divide evenly."""
        if self.frames is None:
            return [None] * self.cameras
        each, rest = divmod(self.frames, self.cameras)
        return [each + (number < rest) for number in range(self.cameras)]

    def sources(self) -> list[ImageSource]:
        """Return a source for each camera; files are dealt out, so that each image is seen before any twice.

        Raises:
            ImageSourceError: there are no images at the source.
        """
        if self.source is None:
            return [SyntheticSource(SyntheticStrip(self.seed + camera)) for camera in range(self.cameras)]
        images = find_images(self.source)
        shares = [images[camera :: self.cameras] or images for camera in range(self.cameras)]
        return [ReplaySource(share, loop=True) for share in shares]

    def plans(self) -> Iterator[StripPlan]:
        """Yield where each camera looks: above the strip and below it in turn."""
        for number, name in enumerate(self.camera_names()):
            yield StripPlan(
                line=LINE,
                camera=name,
                side="bottom" if number % 2 else "top",
                coil_frames=FRAMES_PER_COIL,
            )

    def settings(self, bootstrap_servers: str) -> Settings:
        """Return the daemon's settings."""
        return Settings(
            line=LINE,
            kafka=KafkaSettings(bootstrap_servers=bootstrap_servers),
            model=self.model,
            http=HttpSettings(port=self.port),
        )
