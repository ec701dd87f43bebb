"""Colours of classes."""

import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from consumers.palette import PALETTE, Colour, colour_of_class, luminance

# G. Machado, M. Oliveira, L. Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (2009), severity 1.0; they apply to linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour: Colour, deficiency: str) -> npt.NDArray[np.float32]:
    """Return a colour in CIE Lab as an eye with this deficiency sees it."""
    coded = np.array(colour) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(coded.astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2Lab)[0, 0]


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_first_four_classes_are_distinct_to_every_eye(deficiency: str) -> None:
    """Four classes stay far apart in CIE Lab (2.3 is just noticeable) under each colour blindness."""
    colours = [seen(colour, deficiency) for colour in PALETTE[:4]]

    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(colours, 2))

    assert nearest > 20


def test_the_first_four_classes_are_bright_on_dark_steel() -> None:
    """Outlines are seen on steel of a mean grey of 30 % because they are brighter."""
    assert min(luminance(colour) for colour in PALETTE[:4]) > 0.4


def test_every_class_has_a_colour() -> None:
    """A model of more classes than there are colours starts over."""
    assert colour_of_class(2) == PALETTE[2]
    assert colour_of_class(len(PALETTE)) == PALETTE[0]
