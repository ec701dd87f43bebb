"""A model's classes in the order of a data set's."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.errors import ModelMismatchError
from edge.vision.detections import Detections

# What a model folder without model.json calls its classes.
_UNNAMED = re.compile(r"class_\d+")


class ClassOrder:
    """Which class of the data each class of the model is: by name, or by number if the model names none.

    Raises:
        ModelMismatchError: model and data do not speak of the same classes.
    """

    def __init__(self, model: Sequence[str], data: Sequence[str]) -> None:
        unnamed = all(_UNNAMED.fullmatch(name) for name in model)
        if sorted(model) != sorted(data) and not (unnamed and len(model) == len(data)):
            raise ModelMismatchError(
                f"the model's classes ({', '.join(model)}) are not those of the data ({', '.join(data)})"
            )
        same_names = sorted(model) == sorted(data)
        self._data_id = np.array(
            [data.index(name) if same_names else number for number, name in enumerate(model)], np.int64
        )

    def detections(self, found: Detections) -> Detections:
        """Give detections the data's class ids."""
        return replace(found, classes=self._data_id[found.classes])

    def to_data(self, by_model_class: Sequence[float]) -> list[float]:
        """Put values of the model's classes in the data's order."""
        values = [0.0] * len(self._data_id)
        for data_id, value in zip(self._data_id, by_model_class, strict=True):
            values[data_id] = value
        return values

    def to_model(self, by_data_class: Sequence[float]) -> list[float]:
        """Put values of the data's classes in the model's order."""
        return [by_data_class[data_id] for data_id in self._data_id]
