"""A model's classes and those of the data."""

import numpy as np
import pytest

from edge.errors import ModelMismatchError
from edge.training.evaluation.classes import ClassOrder
from edge.vision.detections import Detections


def test_classes_are_matched_by_name() -> None:
    """Detections and thresholds take the data's order, and go back."""
    order = ClassOrder(("scratch", "pit"), ("pit", "scratch"))
    found = Detections(np.zeros((3, 4), np.float32), np.ones(3, np.float32), np.array([0, 1, 1]), None)
    assert order.detections(found).classes.tolist() == [1, 0, 0]
    assert order.to_data([0.1, 0.2]) == [0.2, 0.1]
    assert order.to_model(order.to_data([0.1, 0.2])) == [0.1, 0.2]


def test_a_model_that_names_no_classes_has_the_datas() -> None:
    """In their order; there is nothing else to go by."""
    assert ClassOrder(("class_0", "class_1"), ("pit", "scratch")).to_data([0.1, 0.2]) == [0.1, 0.2]


@pytest.mark.parametrize("model", [("pit", "stain"), ("pit",), ("class_0",)])
def test_other_classes_are_refused(model: tuple[str, ...]) -> None:
    """Both lists are told."""
    with pytest.raises(ModelMismatchError, match="pit, scratch"):
        ClassOrder(model, ("pit", "scratch"))
