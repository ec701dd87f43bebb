"""What a part's quantisation is calibrated by: its inputs on frames."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from edge.vision.export.parts import Part
from edge.vision.export.samples import batch_of, part_inputs, pixels_of
from edge.vision.exported.graph import Floats
from edge.vision.exported.layout import TRUNK
from edge.vision.native.config import Config
from edge.vision.native.rcnn import GeneralizedRCNN
from edge.vision.runtime import Image


class Calibration:
    """The inputs of each part on frames; those of the heads are kept, the trunk's are made when asked for."""

    def __init__(
        self, network: GeneralizedRCNN, config: Config, parts: Sequence[Part], frames: Sequence[Image]
    ) -> None:
        self.frames = frames
        self._network = network
        self._config = config
        self._heads: dict[str, list[Floats]] = defaultdict(list)
        for inputs in part_inputs(network, config, parts, frames):
            for name, x in inputs.items():
                if name != TRUNK and len(x):
                    self._heads[name].append(x.numpy())

    def inputs(self, part: str) -> Iterable[Floats]:
        """Return the inputs of a part, frame by frame; they can be gone through again and again."""
        return self if part == TRUNK else self._heads[part]

    def __iter__(self) -> Iterator[Floats]:
        """Go through the trunk's inputs."""
        for frame in self.frames:
            yield pixels_of(batch_of(self._network, self._config, frame)).numpy()
