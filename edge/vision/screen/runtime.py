"""A runtime around any other: only frames that a screen finds suspicious go through the model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.contracts.results import Screening
from edge.vision.detections import Detections
from edge.vision.runtime import Image, Runtime
from edge.vision.screen.screen import Screen
from edge.vision.wrapped import WrappedRuntime


class ScreenedRuntime(WrappedRuntime):
    """Looks at every image with a screen, and asks the model about the suspicious ones alone.

    Each answer says what the screen found; that of an image which it lets go has no detections.
    """

    def __init__(self, inner: Runtime, screen: Screen) -> None:
        super().__init__(inner)
        self._screen = screen

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Detect; one entry out for each image in.

        Raises:
            InferenceError: an image is neither (H, W) grey nor (H, W, 3) BGR uint8, or the model fails.
        """
        screenings = [self._judge(score) for score in self._screen.scores(images)] if images else []
        suspicious = [image for image, screening in zip(images, screenings, strict=True) if screening.passed]
        found = iter(self.inner.infer(suspicious) if suspicious else [])
        return [
            replace(next(found) if screening.passed else _nothing(), screening=screening)
            for screening in screenings
        ]

    def _judge(self, score: float) -> Screening:
        """Let a score that is no number pass: the screen has failed, and the model is to look."""
        passed = not score < self._screen.threshold
        return Screening(
            score=score if np.isfinite(score) else 1.0,
            threshold=self._screen.threshold,
            passed=passed,
            model=self._screen.reference,
        )


def _nothing() -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), ())
