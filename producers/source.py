"""What a camera is fed with: encoded images, one after the other."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CameraImage:
    """An encoded image as it will lie on the topic, and the size that moves the strip on."""

    value: bytes
    content_type: str
    width_px: int
    height_px: int


class ImageSource(Protocol):
    """Gives a camera its images; every iteration starts from the first."""

    def __aiter__(self) -> AsyncGenerator[CameraImage, None]:  # noqa: PYI058 - a camera closes it when it stops
        """Yield the images; never blocks the event loop."""
        ...
