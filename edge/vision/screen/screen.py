"""A screen at work: how suspicious is a frame?"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from edge.contracts.results import ModelReference
from edge.errors import ModelFileError, ModelMismatchError
from edge.vision.native.devices import AUTO, usable_device
from edge.vision.runtime import Image, require_image
from edge.vision.screen.card import WEIGHTS_FILE, read_card, read_weights, version_of
from edge.vision.screen.network import ScreenNetwork, frame_logits, to_batch


class Screen:
    """Scores frames from 0 to 1; one whose score reaches ``threshold`` is suspicious."""

    def __init__(
        self, network: ScreenNetwork, reference: ModelReference, threshold: float, device: str = AUTO
    ) -> None:
        self._device = usable_device(device)
        network = network.eval().requires_grad_(False).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)
        self.reference = reference
        self.threshold = threshold

    @classmethod
    def read(cls, folder: Path, *, device: str = AUTO, threshold: float | None = None) -> Self:
        """Read a screen's folder; ``threshold`` stands in for the card's.

        Raises:
            ModelFileError: a file is missing, unreadable, or not what it should be.
            ModelMismatchError: the weights are of another network.
            SettingsError: the device cannot be used here.
        """
        card = read_card(folder)
        reference = ModelReference(card.name, version_of(card, read_weights(folder)))
        chosen = card.threshold if threshold is None else threshold
        return cls(read_network(folder), reference, chosen, device)

    @torch.inference_mode()
    def scores(self, images: Sequence[Image]) -> list[float]:
        """Return how suspicious (H, W) grey or (H, W, 3) BGR images of any mix of shapes are.

        Raises:
            InferenceError: an image is not of such a shape.
        """
        of_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            require_image(image)
            of_size[image.shape[:2]].append(index)
        scores = [0.0] * len(images)
        for indices in of_size.values():
            batch = to_batch([images[index] for index in indices]).to(self._device)
            logits = frame_logits(self._network(batch))
            for index, score in zip(indices, logits.sigmoid().tolist(), strict=True):
                scores[index] = score
        return scores


def read_network(folder: Path) -> ScreenNetwork:
    """Read a screen's network, on the CPU.

    Raises:
        ModelFileError: the weights are missing or unreadable.
        ModelMismatchError: they are of another network.
    """
    network, weights = ScreenNetwork(), read_weights(folder)
    try:
        network.load_state_dict({name: value.float() for name, value in load(weights).items()})
    except SafetensorError as error:
        raise ModelFileError(f"{folder / WEIGHTS_FILE}: {error}") from error
    except RuntimeError as error:
        raise ModelMismatchError(f"{folder / WEIGHTS_FILE}: is of another network: {error}") from error
    return network
