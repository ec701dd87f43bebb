"""Labelled frames: Severstal's files and COCO json; checks, statistics, splits and previews."""

from edge.training.data.opening import open_dataset

__all__ = ["open_dataset"]
