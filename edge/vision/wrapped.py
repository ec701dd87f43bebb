"""What runtimes around another runtime have in common."""

from collections.abc import Sequence

from edge.vision.detections import Detections
from edge.vision.device import DeviceUse
from edge.vision.runtime import Image, Runtime


class WrappedRuntime:
    """Another runtime under its own name; what is done with its images is for subclasses to say."""

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner
        self._take_over()

    def warmup(self) -> None:
        """Warm the model up."""
        self.inner.warmup()
        self._take_over()  # a model may choose its precision while it warms up

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Detect; one entry out for each image in. Raises what the model raises."""
        return self.inner.infer(images)

    def device_use(self) -> DeviceUse | None:
        """Tell how much of the GPU is in use."""
        return self.inner.device_use()

    def close(self) -> None:
        """Give the model's memory back."""
        self.inner.close()

    def _take_over(self) -> None:
        self.name = self.inner.name
        self.device = self.inner.device
        self.precision = self.inner.precision
        self.model_name = self.inner.model_name
        self.model_version = self.inner.model_version
        self.class_names = self.inner.class_names
