"""A screen's folder: ``screen.safetensors`` and ``screen.json``, which says how it was calibrated."""

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec

from edge.errors import ModelFileError

CARD_FILE, WEIGHTS_FILE = "screen.json", "screen.safetensors"
_VERSION_DIGITS = 12

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """On frames that the screen has not learned from: how many with defects stay below the threshold.

    With ``confidence``, of all such frames no larger share than ``miss_rate_at_most`` is missed.
    """

    miss_rate: Fraction
    """What was asked for."""
    confidence: Fraction
    frames_with_defects: Count
    missed: Count
    miss_rate_at_most: Fraction
    clean_frames: Count
    clean_passed: Count
    """Clean frames that go on to the model all the same."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """``screen.json``; a frame whose score reaches the threshold goes on to the model."""

    name: str
    threshold: Fraction
    learned_from: str
    calibration: Calibration


def read_card(folder: Path) -> Card:
    """Read a screen's card.

    Raises:
        ModelFileError: it is missing, unreadable, or no card.
    """
    file = folder / CARD_FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Card)
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{file}: {error}") from error


def read_weights(folder: Path) -> bytes:
    """Read a screen's weights, undecoded.

    Raises:
        ModelFileError: they are missing or unreadable.
    """
    file = folder / WEIGHTS_FILE
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read: {error.strerror or error}") from error


def version_of(card: Card, weights: bytes) -> str:
    """Return the start of the SHA-256 over weights and threshold: what decides over a frame."""
    return hashlib.sha256(weights + repr(card.threshold).encode()).hexdigest()[:_VERSION_DIGITS]
